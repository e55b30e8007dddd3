//! The next bundle is small: what a site surely holds stays out of it, and a site that does not hold it takes nothing in.

mod between;
mod choice;
mod chosen;
mod copied;
mod refused;
mod travel;
mod world;
