//! `airlock.db` with a page that cannot be read, or cut off: every command and `/readyz` send to a whole copy, and none goes on over it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::follow::copy;
use super::logged::Logged;
use super::replaced::{problem, ready};
use super::server::{report, token, with_targets};
use crate::support::appliance::{read, wait_for};

const COPY: &str = "end airlock serve, then put a whole copy of the state folder in its place";

/// Garbles the first page of a table.
pub(super) fn garble(state: &Path, table: &str) {
    let path = state.join("airlock.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let page: u32 = connection
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?", [table], |row| {
            row.get(0)
        })
        .unwrap();
    drop(connection);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xa5; 4096], u64::from(page - 1) * 4096).unwrap();
}

#[test]
fn a_garbled_page_is_answered_with_a_whole_copy_everywhere() {
    let operator = with_targets();
    let state = operator.state();
    let kept = state.with_extension("kept");
    copy(&state, &kept);
    for table in ["blob", "release", "release_page"] {
        garble(&state, table);
        let before = read(&state.join("identity/status.pem"));
        for words in [
            &["recover", "--yes", "--as", "restored"][..],
            &["status", "rotate-key", "--yes"],
            &["audit", "verify"],
        ] {
            let remedy = operator.run(words).remedy("E-STATE", "database-damaged");
            assert!(remedy.starts_with(COPY), "{table} {words:?}: {remedy}");
        }
        assert_eq!(read(&state.join("identity/status.pem")), before, "{table}");
        // A server that starts on it says one thing to do.
        if table != "release" {
            let serving = Logged::start(&operator);
            problem(&serving, "E-STATE database-damaged");
            for problem in ready(&serving).1["problems"].as_array().unwrap() {
                assert!(
                    problem["remedy"].as_str().unwrap().starts_with(COPY),
                    "{table}: {problem}"
                );
            }
        }
        fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
        operator.run(&["audit", "verify"]).succeeded();
        operator.run(&["recover", "--yes", "--as", "restored"]).succeeded();
        fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
    }
}

#[test]
fn a_database_that_is_cut_off_under_a_server_is_told_and_ends_with_a_whole_copy() {
    let operator = with_targets();
    let state = operator.state();
    let kept = state.with_extension("kept");
    let serving = Logged::start(&operator);
    let agent = token(&operator, &serving, "edge-0");
    drop(serving);
    copy(&state, &kept);
    for length in [0, 20_000] {
        let serving = Logged::start(&operator);
        assert_eq!((ready(&serving).0, report(&serving, &agent)), (200, 200));
        // What was checked at the start has passed.
        wait_for("the check", || ready(&serving).1["checks"]["database"] == "ok");
        let file = OpenOptions::new().write(true).open(state.join("airlock.db")).unwrap();
        file.set_len(length).unwrap();
        let told = problem(&serving, "E-STATE database-damaged");
        assert!(told["remedy"].as_str().unwrap().starts_with(COPY), "{told}");
        for problem in ready(&serving).1["problems"].as_array().unwrap() {
            assert!(problem["error"].as_str().unwrap().starts_with("E-STATE"), "{problem}");
        }
        // Statuses have a file of their own; what cannot be looked up is 503, and the agent keeps it.
        let status = report(&serving, &agent);
        assert!([200, 503].contains(&status), "{length}: {status}");
        drop(serving);
        fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
        let serving = Logged::start(&operator);
        assert_eq!((ready(&serving).0, report(&serving, &agent)), (200, 200));
        drop(serving);
        fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
    }
    // Pages that something writes over while they are served from memory.
    let serving = Logged::start(&operator);
    wait_for("the check", || ready(&serving).1["checks"]["database"] == "ok");
    let database = OpenOptions::new().write(true).open(state.join("airlock.db")).unwrap();
    let length = database.metadata().unwrap().len();
    // All but the first page: some of them stand in the log beside it too.
    let most = usize::try_from(length - 4096).unwrap();
    database.write_all_at(&vec![0xa5; most], 4096).unwrap();
    assert_eq!(database.metadata().unwrap().len(), length);
    let told = problem(&serving, "E-STATE database-damaged");
    assert!(told["remedy"].as_str().unwrap().starts_with(COPY), "{told}");
}
