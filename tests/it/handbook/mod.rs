//! What README and handbook print, done as it is printed.

mod main_job;
