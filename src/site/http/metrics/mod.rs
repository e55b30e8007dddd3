//! `/metrics`: numbers of a running server, in Prometheus' text, at an address of its own (`[metrics] listen`; off by default).
//!
//! | File | One step or type |
//! |---|---|
//! | `families` | every name once: its kind, and what it means |
//! | `counters` | what is counted while requests are answered |
//! | `text` | the form that Prometheus reads |
//! | `page` | what is asked of every part when somebody asks |
//! | `listener` | the address |
//!
//! Names, units and labels are a promise, as error codes are: alert rules and boards (`observability/`) are made of them. No label holds
//! anything that a client made: values are words of this program, and trust domains, of which there are as many as pins.
//!
//! What cannot be asked is left out, and `airlock_part_unread` names it: a number that is not known is not zero.

mod counters;
mod families;
mod listener;
mod page;
mod text;

pub(super) use counters::{Counters, count};
pub(super) use listener::Listener;
pub(super) use page::Page;
