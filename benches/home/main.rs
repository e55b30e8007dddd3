//! The way home: what a package weighs, and how soon the ledger answers.
//!
//! ```text
//! cargo bench --bench home                 # everything, a few minutes
//! cargo bench --bench home -- thousand     # only what is called so: month, crowd, thousand, held
//! ```
//!
//! `AIRLOCK_BENCH_DIR` says where states and ledgers lie. Sizes are asserted, and times of questions as time of the processor that they
//! took, best of several, because other work on the machine is none of theirs; each stands beside its floor.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::arithmetic_side_effects,
    reason = "a bench ends by panicking, talks, and computes ratios"
)]

mod crowd;
mod held;
mod month;
mod taken;
mod thousand;
#[path = "../agents/world.rs"]
mod world;

use std::path::{Path, PathBuf};

/// Measures and asserts in a folder of its own.
type Part = fn(&Path);

fn main() {
    // `cargo bench` itself passes `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let folder = std::env::var_os("AIRLOCK_BENCH_DIR")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("home"), PathBuf::from);
    let parts: [(&str, Part); 4] = [
        ("month", month::run),
        ("crowd", crowd::run),
        ("thousand", thousand::run),
        ("held", held::run),
    ];
    for (name, part) in parts {
        if words.is_empty() || words.iter().any(|word| name == word) {
            let own = folder.join(name);
            std::fs::remove_dir_all(&own).ok();
            std::fs::create_dir_all(&own).unwrap();
            println!("{name}");
            part(&own);
            std::fs::remove_dir_all(&own).unwrap();
        }
    }
}
