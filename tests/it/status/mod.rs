//! The status buffer: what it keeps, its bounds, and what survives crashes, damage and full disks.

mod acknowledged;
mod bounds;
mod buffer;
mod crash;
mod damage;
mod days;
mod freeze;
mod full;
mod model;
mod streams;
