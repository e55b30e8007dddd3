//! Which test follows which remedy.
//!
//! One line for each: what [`source`](super::source) calls it, and the tests that follow it.

use std::collections::BTreeSet;
use std::path::Path;

use super::rows::ROWS;
use super::rows::Row::{self, Followed};
use super::rows_of_backups::BACKUPS;
use super::rows_of_care::CARE;
use super::rows_of_doctor::DOCTOR;
use super::rows_of_sources::SOURCES;
use super::rows_of_volumes::VOLUMES;
use super::rows_out::ROWS_OUT;
use super::source::remedies;

fn rows() -> impl Iterator<Item = &'static (&'static str, Row)> {
    let rows = ROWS.iter().chain(SOURCES).chain(ROWS_OUT).chain(VOLUMES);
    rows.chain(BACKUPS).chain(CARE).chain(DOCTOR)
}

#[test]
fn every_remedy_is_followed_by_a_test() {
    let found = remedies();
    assert!(
        found.len() > 100,
        "only {} remedies were seen: the check would be empty",
        found.len()
    );
    let all = rows().count();
    let rows: BTreeSet<&str> = rows().map(|(remedy, _)| *remedy).collect();
    assert_eq!(rows.len(), all, "a remedy has two rows");
    let missing: Vec<&String> = found.iter().filter(|remedy| !rows.contains(remedy.as_str())).collect();
    let stale: Vec<&&str> = rows.iter().filter(|row| !found.contains(**row)).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "remedies without a row: {missing:#?}; rows without their remedy: {stale:#?}"
    );
}

#[test]
fn what_follows_a_remedy_is_a_test() {
    let mut sources = String::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"), &mut sources);
    for (remedy, row) in rows() {
        let Followed(tests) = row else { continue };
        assert!(!tests.is_empty(), "{remedy}");
        for test in *tests {
            assert!(
                sources.contains(&format!("#[test]\nfn {test}(")),
                "{remedy}: there is no test {test}"
            );
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "committed files of the project")]
fn gather(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
