//! Imports where something breaks: processes, disks, media, clocks; and that nothing of them goes out to a network.

mod clocks;
mod crash;
pub(crate) mod disk_full;
mod kinds;
mod medium;
mod outbound;
mod power;
#[cfg(feature = "vendor")]
mod root_told;
mod shortages;
mod time_floors;
mod volumes;
mod volumes_kept;
mod volumes_named;
mod whole_run;
