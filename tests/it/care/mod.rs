//! Care of the appliance by its commands: the configuration as it is shown and checked, what is let go and what stays, what is hashed anew,
//! who uses the disk, and the log as people read it.

mod audit;
mod backup;
mod backup_around;
mod backup_beside;
mod backup_stops;
#[cfg(feature = "vendor")]
mod backup_vendor;
mod config;
mod disk;
mod doctor;
mod gc;
mod gc_stops;
mod running;
mod scrub;
mod vendors;
mod world;
