//! A run of packages by the program: one `status export` into a folder brings all of them out, into anything else one at a time.

use std::process::{Command, Stdio};

use airlock::db::site::packages::{self, State};
use serde_json::Value;

use super::world::{self, Reports};
use crate::streams::site::Site;
use crate::support::appliance::{AIRLOCK, Ended, read, scratch, write};
use crate::support::site::noise;

/// Lines of logs that nothing makes much shorter, and that no redactor knows.
fn talk(site: &Site) {
    const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let reports = Reports::of(site, &site.a);
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    for batch in 0..8_u64 {
        let lines = (0..10).map(|n| {
            let line = batch * 10 + n;
            let text = noise(20_000, line).iter().map(letter).collect::<String>();
            (i64::try_from(line).unwrap(), text)
        });
        reports.logs("edge-0", lines);
    }
}

#[test]
fn a_run_leaves_whole_and_each_of_its_packages_is_one() {
    let site = world::site();
    talk(&site);
    let folder = scratch();
    let config = folder.path().join("airlock.toml");
    write(&config, b"[export]\nprofile = \"full\"\nmax_size_mib = 1\n");
    let stick = folder.path().join("stick");
    std::fs::create_dir(&stick).unwrap();
    let run = |destination: &std::path::Path| {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "status", "export"]).arg(destination);
        command.arg("--config").arg(&config).arg("--state").arg(site.state());
        let ended = Ended::of(&command.stdin(Stdio::null()).output().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended
    };
    // A file takes one, and it is said that another one follows.
    let first = folder.path().join("first.status");
    let ended = run(&first);
    assert_eq!(ended.result["more"], true);
    assert!(
        ended.stderr.contains("another package goes on behind it"),
        "{}",
        ended.stderr
    );
    let ended = run(&stick);
    assert_eq!(ended.result["more"], false);
    let left: Vec<&Value> = ended.result["packages"].as_array().unwrap().iter().collect();
    let numbers: Vec<u64> = left.iter().map(|one| one["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers.first(), Some(&2));
    assert!(numbers.is_sorted());
    let files = left
        .iter()
        .map(|one| std::path::PathBuf::from(one["file"].as_str().unwrap()));
    let files: Vec<_> = std::iter::once(first).chain(files).collect();
    // Guards and the independent verifier read each of them; together they leave nothing out.
    let (appliance, domain) = (site.appliance(), site.a.chain().domain());
    let bytes: Vec<Vec<u8>> = files.iter().map(|file| read(file)).collect();
    assert!(bytes.iter().all(|one| one.len() <= 1 << 20));
    world::judged(&appliance, domain, &bytes);
    let rows = appliance
        .db
        .read(|connection| packages::list(connection, domain))
        .unwrap();
    assert_eq!(rows.len(), files.len());
    assert!(rows.iter().all(|row| row.state == State::Exported));
    let mut next = 1;
    for row in &rows {
        let head = airlock::package::Head::parse(&row.bytes).unwrap();
        assert_eq!(head.records.first, next);
        next = head.records.last + 1;
    }
    assert_eq!(next, 81);
}
