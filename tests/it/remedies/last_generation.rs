//! F12: a start on a security database that cannot be used. The last generation that was served is served, from `generation.json`; nothing
//! is imported, and a whole copy of the state folder ends it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::damaged_pages;
use super::follow::{Operator, copy};
use super::logged::Logged;
use super::replaced::{problem, ready};
use super::server::{ask, report, token, with_targets};
use crate::support::appliance::{read, wait_for, write};
use crate::support::client::{Reply, get};
use crate::support::desired::Desired;
use crate::support::in_process::overwrite;
use crate::support::site::noise;
use crate::support::slow::share;

const COPY: &str = "end airlock serve, then put a whole copy of the state folder in its place";
const A_PAGE: &str = "a page that every start reads";
const A_TABLE: &str = "a table is gone";
const SAYS: &str = "the last generation is served";

type Damage = fn(&Path);
type Spoil<'a> = &'a dyn Fn(&mut Vec<u8>);

/// What a client and an agent see.
#[derive(Debug, PartialEq)]
struct Seen {
    repositories: String,
    /// Every manifest and layer that a tag leads to, hashed.
    content: Vec<(u16, String)>,
    /// What the agent is to run, and how its own manifest is, each without the address of this server.
    orders: Vec<(u16, String)>,
}

fn sha256(bytes: &[u8]) -> String {
    airlock::domain::Hash(Sha256::digest(bytes).into()).to_hex()
}

fn seen(serving: &Logged, agent: &str) -> Seen {
    let repositories = get(serving.address, "/v2/_catalog");
    let names = repositories.json()["repositories"].as_array().unwrap().clone();
    assert!(!names.is_empty(), "{repositories:?}");
    let mut content = Vec::new();
    for name in names {
        let name = name.as_str().unwrap();
        let tags = get(serving.address, &format!("/v2/{name}/tags/list")).json();
        for tag in tags["tags"].as_array().unwrap() {
            let manifest = get(
                serving.address,
                &format!("/v2/{name}/manifests/{}", tag.as_str().unwrap()),
            );
            let layers = manifest.json()["layers"].as_array().cloned().unwrap_or_default();
            let blobs = layers.iter().map(|layer| {
                let digest = layer["digest"].as_str().unwrap();
                get(serving.address, &format!("/v2/{name}/blobs/{digest}"))
            });
            let blobs: Vec<Reply> = blobs.collect();
            let all = std::iter::once(manifest).chain(blobs);
            content.extend(all.map(|reply| (reply.status, sha256(&reply.body))));
        }
    }
    let resources = ask(serving, agent, "GET", "resources", "");
    let running = match resources.status {
        200 => resources.json()["deployments"][0]["revisionId"].to_string(),
        _ => String::new(),
    };
    let manifest = ask(serving, agent, "GET", "manifest", "");
    let text = String::from_utf8(manifest.body).unwrap();
    let text = text.replace(&serving.address.to_string(), "ADDRESS");
    let orders = vec![(resources.status, running), (manifest.status, sha256(text.as_bytes()))];
    Seen {
        repositories: String::from_utf8(repositories.body).unwrap(),
        content,
        orders,
    }
}

/// A site that was served, with an agent's token and what was seen then; the server has ended.
fn served() -> (Operator, String, Seen) {
    let operator = with_targets();
    let serving = Logged::start(&operator);
    let agent = token(&operator, &serving, "edge-0");
    is_kept(&operator);
    let seen = seen(&serving, &agent);
    assert!(seen.content.iter().all(|(status, _)| *status == 200), "{seen:?}");
    assert!(seen.orders.iter().all(|(status, _)| *status == 200), "{seen:?}");
    assert!(serving.last_error("a target is heard").contains(r#"name="edge-0""#));
    (operator, agent, seen)
}

/// Waits until a server keeps what is served by now.
fn is_kept(operator: &Operator) {
    let path = operator.state().join("generation.json");
    let edition = || {
        let database = rusqlite::Connection::open(operator.state().join("airlock.db")).unwrap();
        let number: i64 = database
            .query_row("SELECT agents FROM appliance", [], |row| row.get(0))
            .unwrap();
        number
    };
    wait_for("what is kept", || {
        if !path.try_exists().unwrap() {
            return false;
        }
        let text = String::from_utf8(read(&path)).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
        kept["rows"][0]["appliance"][5] == edition()
    });
}

fn replace(state: &Path, bytes: &[u8]) {
    for side in ["airlock.db-wal", "airlock.db-shm"] {
        fs::remove_file(state.join(side)).ok();
    }
    write(&state.join("airlock.db"), bytes);
}

/// Every byte of the database; nothing where there is none.
fn database_bytes(state: &Path) -> Option<Vec<u8>> {
    let path = state.join("airlock.db");
    path.try_exists().unwrap().then(|| read(&path))
}

fn sql(state: &Path, text: &str) {
    let connection = rusqlite::Connection::open(state.join("airlock.db")).unwrap();
    connection.execute_batch(text).unwrap();
}

/// Garbles a table past the database, with nothing of it left in the log.
fn garble(state: &Path, table: &str) {
    sql(state, "PRAGMA wal_checkpoint(TRUNCATE)");
    damaged_pages::garble(state, table);
}

#[test]
fn f12_a_start_on_a_damaged_database_serves_the_last_generation() {
    let (operator, agent, before) = served();
    let state = operator.state();
    let kept = state.with_extension("kept");
    copy(&state, &kept);
    let made = operator.vendor.with_targets(9, |image| Desired::both(image, 2, "b"));
    let file = operator.bundle(&made);
    let damages: [(&str, &str, Damage); 10] = [
        ("the header", "database-damaged", |state| {
            let mut bytes = read(&state.join("airlock.db"));
            bytes[..100].fill(0xff);
            replace(state, &bytes);
        }),
        ("no byte left", "database-damaged", |state| replace(state, b"")),
        ("random bytes", "database-damaged", |state| {
            replace(state, &noise(100_000, 3));
        }),
        ("half of it", "database-damaged", |state| {
            sql(state, "PRAGMA wal_checkpoint(TRUNCATE)");
            let bytes = read(&state.join("airlock.db"));
            replace(state, &bytes[..bytes.len() / 2 / 4096 * 4096]);
        }),
        (A_PAGE, "database-damaged", |state| {
            garble(state, "release");
        }),
        ("nothing there", "database-missing", |state| {
            replace(state, b"");
            fs::remove_file(state.join("airlock.db")).unwrap();
        }),
        ("another program's", "other-database", |state| {
            sql(state, "PRAGMA application_id = 7");
        }),
        (A_TABLE, "other-schema", |state| {
            sql(state, "DROP TABLE access_grant");
        }),
        ("another schema", "other-schema", |state| {
            sql(state, "PRAGMA user_version = 0");
        }),
        ("a newer schema", "schema-too-new", |state| {
            sql(state, "PRAGMA user_version = 99");
        }),
    ];
    // Each in the slow form; else one that no start can open, and one that it can.
    let fast = |says: &str| ["random bytes", A_PAGE, "nothing there"].contains(&says);
    let wanted = damages.into_iter().filter(|(says, ..)| share().is_some() || fast(says));
    for (says, code, damage) in wanted {
        damage(&state);
        let database = database_bytes(&state);
        let serving = Logged::start(&operator);
        assert!(serving.text().contains(SAYS), "{says}: {}", serving.text());
        assert_eq!(seen(&serving, &agent), before, "{says}");
        assert_eq!(report(&serving, &agent), 200, "{says}");
        let told = problem(&serving, &format!("E-STATE {code}"));
        assert_eq!(told["part"], "database", "{says}: {told}");
        assert_eq!(ready(&serving).0, 503, "{says}");
        let after = database_bytes(&state);
        // What can be opened is a copy, and begins another life.
        assert!(
            after == database || [A_PAGE, A_TABLE].contains(&says),
            "{says}: it was touched"
        );
        // Nobody imports; what is served stays. Of a table that is not asked for an import knows nothing.
        if says != A_TABLE {
            let remedy = operator
                .run(&["import", file.to_str().unwrap()])
                .remedy("E-STATE", code);
            assert!(!remedy.is_empty(), "{says}");
        }
        // A second server of this folder finds the first, which goes on.
        let second = operator.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(second.remedy("E-BUSY", "generation"), "use that one", "{says}");
        assert_eq!(seen(&serving, &agent), before, "{says}");
        drop(serving);
        fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
    }
    let serving = Logged::start(&operator);
    assert!(!serving.text().contains(SAYS));
    assert_eq!((seen(&serving, &agent), ready(&serving).0), (before, 200));
    operator.import(&made).succeeded();
}

/// A page that no start reads: the server that meets it says so, answers what it can, and the next one serves the last generation.
#[test]
fn f12_a_page_that_is_damaged_while_a_server_runs_is_none_for_the_next_one() {
    let (operator, agent, before) = served();
    let state = operator.state();
    let kept = state.with_extension("kept");
    copy(&state, &kept);
    garble(&state, "tag");
    let serving = Logged::start(&operator);
    let told = problem(&serving, "E-STATE database-damaged");
    let remedy = told["remedy"].as_str().unwrap();
    assert!(
        remedy.ends_with("; until then, airlock serve, started again, serves the last generation"),
        "{remedy}"
    );
    drop(serving);
    let serving = Logged::start(&operator);
    assert!(serving.text().contains(SAYS), "{}", serving.text());
    assert_eq!(seen(&serving, &agent), before);
    let told = problem(&serving, "E-STATE database-damaged");
    assert!(told["remedy"].as_str().unwrap().starts_with(COPY), "{told}");
    drop(serving);
    // The copy stands where the damage was found: it is read whole, and suspected no more.
    let suspect = state.join("airlock.db.damaged");
    assert!(suspect.try_exists().unwrap());
    fs::remove_dir_all(&state).unwrap();
    copy(&kept, &state);
    write(&suspect, b"");
    let serving = Logged::start(&operator);
    assert_eq!((seen(&serving, &agent), ready(&serving).0), (before, 200));
    assert!(!suspect.try_exists().unwrap());
}

/// What was taken away does not come back with the last generation, whether a server saw it go or not.
#[test]
fn f12_the_last_generation_grants_nothing_that_was_revoked() {
    let (operator, agent, before) = served();
    let state = operator.state();
    let serving = Logged::start(&operator);
    operator.run(&["target", "remove", "edge-0", "--yes"]).succeeded();
    wait_for("the removal", || {
        ask(&serving, &agent, "GET", "resources", "").status == 401
    });
    is_kept(&operator);
    drop(serving);
    replace(&state, b"");
    let serving = Logged::start(&operator);
    let after = seen(&serving, &agent);
    assert_eq!(after.content, before.content);
    assert!(after.orders.iter().all(|(status, _)| *status == 401), "{after:?}");
    drop(serving);
    // Nobody serves: nothing is kept of what was before, and another appliance's is none.
    let foreign = read(&state.join("generation.json"));
    let (operator, ..) = served();
    let path = operator.state().join("generation.json");
    let made = operator.vendor.with_targets(2, |image| Desired::both(image, 2, "b"));
    operator.import(&made).succeeded();
    assert!(!path.try_exists().unwrap());
    let serving = Logged::start(&operator);
    is_kept(&operator);
    drop(serving);
    operator.run(&["target", "remove", "edge-0", "--yes"]).succeeded();
    assert!(!operator.state().join("generation.json").try_exists().unwrap());
    replace(&operator.state(), b"");
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let remedy = operator.run(&serve).remedy("E-STATE", "database-damaged");
    assert!(remedy.starts_with(COPY), "{remedy}");
    write(&path, &foreign);
    let ran = operator.run(&serve);
    ran.remedy("E-STATE", "database-damaged");
    assert!(
        ran.refused["found"]
            .as_str()
            .unwrap()
            .contains("is not the key of this appliance"),
        "{}",
        ran.refused
    );
}

/// A database that can be used comes back under a server of the last generation: what is decided there does not reach it, so it answers
/// nothing until it is started again.
#[test]
fn f12_a_database_that_comes_back_is_served_from_the_next_start_on() {
    let (operator, agent, before) = served();
    let state = operator.state();
    sql(&state, "PRAGMA wal_checkpoint(TRUNCATE)");
    let whole = read(&state.join("airlock.db"));
    replace(&state, b"");
    let serving = Logged::start(&operator);
    assert_eq!(seen(&serving, &agent), before);
    // In place, under the same name.
    let file = OpenOptions::new().write(true).open(state.join("airlock.db")).unwrap();
    file.write_all_at(&whole, 0).unwrap();
    let told = problem(&serving, "E-STATE state-replaced");
    assert!(
        told["remedy"].as_str().unwrap().starts_with("end airlock serve"),
        "{told}"
    );
    assert_eq!(get(serving.address, "/v2/").status, 503);
    drop(serving);
    let serving = Logged::start(&operator);
    assert_eq!((seen(&serving, &agent), ready(&serving).0), (before, 200));
    assert!(!state.join("generation.db").try_exists().unwrap());
}

/// An index page is damaged as well: nobody is told that there is no such thing, and why stands in `/readyz`.
#[test]
fn f12_what_cannot_be_named_any_more_is_not_said_to_be_nothing() {
    let (operator, _, _) = served();
    let state = operator.state();
    let page: String = rusqlite::Connection::open(state.join("airlock.db"))
        .unwrap()
        .query_row("SELECT lower(hex(sha256)) FROM release_page", [], |row| row.get(0))
        .unwrap();
    overwrite(&state.join("blobs/sha256").join(&page[..2]).join(&page), b"no page");
    replace(&state, b"");
    let serving = Logged::start(&operator);
    for path in ["manifests/1.0", "tags/list"] {
        let reply = get(serving.address, &format!("/v2/registry.test/crm/web/{path}"));
        assert!([500, 503].contains(&reply.status), "{path}: {reply:?}");
    }
    let told = problem(&serving, "E-STATE release-nameless");
    assert!(told["what"].as_str().unwrap().contains(&page), "{told}");
    for problem in ready(&serving).1["problems"].as_array().unwrap() {
        assert!(problem["remedy"].as_str().unwrap().starts_with(COPY), "{problem}");
    }
}

/// What is kept is damaged too: it is said, and nothing of it is served; with a whole database it is written anew.
#[test]
fn f12_what_is_kept_is_served_whole_or_not_at_all() {
    let (operator, agent, before) = served();
    let state = operator.state();
    let path = state.join("generation.json");
    let (kept, database) = (read(&path), state.with_extension("kept"));
    copy(&state, &database);
    replace(&state, b"");
    let middle = kept.len() / 2;
    let spoilt: [Spoil<'_>; 5] = [
        &|bytes| bytes.truncate(middle),
        &|bytes| bytes[middle] ^= 1,
        &|bytes| bytes.clear(),
        &|bytes| *bytes = noise(10_000, 5),
        &|bytes| bytes.extend_from_slice(b"x"),
    ];
    for spoil in spoilt {
        let mut bytes = kept.clone();
        spoil(&mut bytes);
        write(&path, &bytes);
        let ran = operator.run(&["serve", "--listen", "127.0.0.1:0"]);
        let remedy = ran.remedy("E-STATE", "database-damaged");
        assert!(remedy.starts_with(COPY), "{remedy}");
        assert!(remedy.contains("it writes it anew"), "{remedy}");
        assert!(
            ran.refused["found"].as_str().unwrap().contains("generation.json"),
            "{}",
            ran.refused
        );
    }
    // A whole database beside the spoilt file.
    let spoilt = read(&path);
    fs::remove_dir_all(&state).unwrap();
    copy(&database, &state);
    write(&path, &spoilt);
    let told = operator.run(&["doctor"]);
    let findings = told.ended.result["findings"].as_array().unwrap().clone();
    let found = findings.iter().find(|finding| finding["part"] == "generation").unwrap();
    assert_eq!(
        (&found["verdict"], &found["error"]),
        (&"look".into(), &"E-STATE generation-damaged".into())
    );
    assert!(
        found["remedy"]
            .as_str()
            .unwrap()
            .starts_with("start airlock serve again"),
        "{found}"
    );
    let serving = Logged::start(&operator);
    wait_for("a new file", || read(&path) != spoilt);
    is_kept(&operator);
    drop(serving);
    replace(&state, b"");
    let serving = Logged::start(&operator);
    assert_eq!(seen(&serving, &agent), before);
}
