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
    "blobs/sha256/096cfd33212257486e47baff5ecf5fc6f145894aa4d6a3d004ffe40c442a6437",
    "blobs/sha256/342adf7e4ff189753e2ecdd194181d9d9613ae43fff25f48ceafbe44c1917ddf",
    "blobs/sha256/3ce29a685467245b63572bbe52ff8826ba91a9823ee8ba6be501dded8ddb5d40",
    "blobs/sha256/6ea376094c769d9c44770f1798b04cec3ff1f80dac6d26bc27be9a7241fab5aa",
    "blobs/sha256/931de195ba1bc74427bdabb32eb04f2ab4edf0fa69514d1006932fe270a72a8d",
    "blobs/sha256/be028eb9fc2138a30579ef6687123f8d7a8851751fe01ef7389b8f4f15a2eab1",
    "blobs/sha256/da8844039175064bfac0c71f3af7cdfd974fab3681df7b96fc3ecfaa7fdb4587",
    "blobs/sha256/ed496fadd9f3002038acecb8ea75cccd19ee5edfe6ac9423089e5a020f88b4ca",
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
