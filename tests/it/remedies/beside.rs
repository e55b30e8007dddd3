//! What a program keeps for itself and nobody named: something else stands in its place.

use std::process::Command;

use super::workshop::Workshop;
use crate::support::appliance::{read, write};

#[test]
fn what_stands_where_a_workspace_keeps_a_file_is_moved_away() {
    let shop = Workshop::new();
    let file = shop.path("w/root.json");
    let backup = read(&file);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let remedy = shop.run("vendor trust show").remedy("E-USAGE", "not-a-file");
    assert_eq!(remedy, "move it away, and put the file back from your backup");
    let moved = Command::new("mv").arg(&file).arg(shop.path("away")).status().unwrap();
    assert!(moved.success());
    write(&file, &backup);
    shop.good("vendor trust show");
}
