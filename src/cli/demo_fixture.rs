//! The image of the demo: an OCI image layout of a small program of ours, carried inside the binary.

use std::path::Path;

use crate::domain::Result;
use crate::stream::{create_folder, write_atomically};

macro_rules! layout {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/hello/", $name)))),*]
    };
}

/// Every file of the layout `fixtures/hello`.
const FILES: &[(&str, &[u8])] = layout![
    "oci-layout",
    "index.json",
    "blobs/sha256/2cbc46e0c9344bba450bf006e9e2417d6d54d0f5e8f59d8c76e2b2847275d9fc",
    "blobs/sha256/342adf7e4ff189753e2ecdd194181d9d9613ae43fff25f48ceafbe44c1917ddf",
    "blobs/sha256/49ea5a7d48a46f3a057c578e201293ced736efc0173c26b5483840391bbb3cc5",
    "blobs/sha256/5c8d34bd0e933ab4373c00581f1e056c9ff9f2659d75900c287a29d50c3b16d3",
    "blobs/sha256/6afb8575f47168411cd30bff5ac3e5da8bb9c5599459cf12f7febdb41d4b77a6",
    "blobs/sha256/6c4e1d82771538d6264385e77fa1c3298201223cdcdea61dfe27eeca49cb3dbe",
    "blobs/sha256/c98d64de201878fb26e96d4f099077eeac0c854ee8b4f172067e4ae655a0140b",
    "blobs/sha256/d0449e4b05beeee36d396b6ffcbc1fa70b5d4d2175cf028c3ac46b20f73b47bb",
];

/// Writes the layout into a folder.
///
/// # Errors
///
/// `E-IO` and `E-SPACE`.
pub(super) fn write(folder: &Path) -> Result<()> {
    create_folder(&folder.join("blobs/sha256"))?;
    FILES
        .iter()
        .try_for_each(|(name, bytes)| write_atomically(&folder.join(name), bytes, 0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_carries_exactly_the_fixture() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello/blobs/sha256");
        let blobs = std::fs::read_dir(fixture).unwrap().count();
        assert_eq!(FILES.len(), blobs + 2, "a blob of fixtures/hello is not in the list");
    }
}
