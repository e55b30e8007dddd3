//! Secrets at the site: entered, made and sealed values, releases that wait for them, what agents get, and what never shows.

mod applications;
mod commands;
mod crossing;
mod keys;
mod leaves;
mod plans;
mod rotation;
mod served;
mod shown;
mod stops;
mod vendors;
mod world;
