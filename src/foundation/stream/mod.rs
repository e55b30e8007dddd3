//! Byte plumbing over `std::io`: bounded reads, an ordered parallel map, files that are looked at before they are opened, files that
//! appear complete or not at all, under names that lead nowhere else, files that processes take turns with, and the room that is left.

mod atomic;
mod bounded;
mod lock;
mod lock_holder;
mod looked;
mod named;
mod ordered;
mod plain;
mod pool;
mod space;
mod unnamed;
mod vec_pool;

pub use atomic::{create_folder, create_own_folder, look_to_write, sync_folder, write_atomically, write_atomically_of};
pub use bounded::{read_bounded, read_exact_or_end};
pub use lock::LockFile;
pub use lock_holder::lock_holder;
pub use looked::{Looked, NOT_A_FILE};
pub use named::{open_lasting, open_named};
pub use ordered::{ordered_map, worker_count};
pub use plain::{
    Expected, OTHER_USER, PLANTED, create_new, look, look_at_own, open_beside, open_or_create, open_plain,
};
pub use pool::{BufferPool, PAGE, PooledBuffer};
pub use space::{Space, capacity, space};
pub use unnamed::unnamed_file;
pub use vec_pool::{PooledVec, VecPool};
