//! What an engine refuses, although compose passes it on: every container is made by a Docker engine on Linux.
//!
//! ```text
//! networks ─> pools
//! services that run ─> service ─┬─> words    texts that the engine reads
//!                               ├─> mounts   places in the container
//!                               ├─> sharing  what goes with a network that belongs to somebody else
//!                               └─> limits   numbers, and which of them go together
//! ```
//!
//! The rules are those that every engine from 20.10 on has, and that the file alone decides. What depends on the host (how many CPUs it
//! has, which kernel, which plugins) is no finding. They are looked at last, in the services that run: a file that another one corrects
//! says nothing wrong.

mod container;
mod limits;
mod mounts;
mod pools;
mod service;
mod sharing;
mod words;

pub(super) use service::check;
