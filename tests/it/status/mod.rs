//! The status buffer: what it keeps, its bounds, and what survives crashes, damage and full disks.

mod bounds;
mod buffer;
mod crash;
mod damage;
mod full;
