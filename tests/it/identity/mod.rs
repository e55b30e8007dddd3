//! Who a site is for its vendors: lives of the state folder, enrolments, keys, and the log that says so.

#[cfg(feature = "vendor")]
mod audit;
#[cfg(feature = "vendor")]
pub(crate) mod bench;
#[cfg(feature = "vendor")]
mod enrolments;
mod instances;
mod rotation;
#[cfg(feature = "vendor")]
mod shown;
#[cfg(feature = "vendor")]
mod stops;
