//! M-67, M-105: the log holds, its copies are signed, and a log that was rewritten or cut differs from what left.

use airlock::crypto::{Envelope, KeyFile, PayloadType, canonical, stream_seal};
use airlock::db::site::{audit, stream_log};
use airlock::db::{Db, Schema, SqlResult as _};
use serde_json::{Value, json};

use super::bench::Bench;
use crate::support::appliance::{read, write};
use crate::support::streams;

fn sql(bench: &Bench, text: &str) {
    let db = Db::open(&bench.state().join("airlock.db"), &Schema::SITE).unwrap();
    db.write(|tx| tx.execute_batch(text).sql("damage")).unwrap();
}

/// An act that writes a row.
fn act(bench: &Bench) {
    bench.good("recover --yes --as cloned");
}

#[test]
fn a_copy_of_the_log_says_later_whether_it_still_begins_so() {
    let bench = Bench::new();
    act(&bench);
    let exported = bench.good("audit export -o copy.jsonl");
    assert_eq!(exported["rows"], 2);
    let text = String::from_utf8(read(&bench.path("copy.jsonl"))).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    let db = Db::open(&bench.state().join("airlock.db"), &Schema::SITE).unwrap();
    let rows = db.read(|c| audit::list(c, 0, 10)).unwrap();
    for (line, row) in lines.iter().zip(&rows) {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(canonical::to_vec(&value), line.as_bytes());
        assert_eq!(
            (&value["action"], &value["number"]),
            (&json!(row.action), &json!(row.number))
        );
    }
    let envelope: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!(
        envelope["payloadType"],
        "application/vnd.airlock.audit-checkpoint.v1+json"
    );
    drop(db);
    // The log goes on, and begins so still; also under another key.
    act(&bench);
    let compared = bench.good("audit verify --against copy.jsonl");
    assert_eq!(
        compared["against"],
        json!([{"file": "copy.jsonl", "kind": "export", "row": 2}])
    );
    bench.good("status rotate-key --yes");
    bench.good("audit export -o later.jsonl");
    let all = bench.good("audit verify --against copy.jsonl --against later.jsonl");
    assert_eq!((&all["rows"], &all["against"][1]["row"]), (&json!(5), &json!(5)));
    let stream = streams::only(&bench.state());
    assert_eq!(
        all["streams"],
        json!([{"domain": stream.domain, "rows": 5, "seal": stream.rows.last().unwrap().seal}])
    );
    // What is no copy, or another site's, or was changed.
    bench.good("init --trust acme/root.json --site other --state other-state");
    bench.good("audit export -o foreign.jsonl --state other-state");
    bench.edit("copy.jsonl", "changed.jsonl", |bytes| {
        let at = bytes.windows(5).position(|window| window == b"\"init").unwrap();
        bytes[at + 1] = b'x';
    });
    bench.edit("copy.jsonl", "cut.jsonl", |bytes| {
        let at = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        bytes.drain(..=at);
    });
    bench.edit("copy.jsonl", "long.jsonl", |bytes| bytes.extend_from_slice(b"{}\n"));
    bench.edit("copy.jsonl", "unsigned.jsonl", |bytes| {
        let end = bytes.len() - 1;
        let at = bytes[..end].iter().rposition(|byte| *byte == b'\n').unwrap();
        bytes.truncate(at + 1);
    });
    for (file, class, code) in [
        ("plant.json", "E-FORMAT", "audit-copy"),
        ("acme/root.json", "E-FORMAT", "audit-copy"),
        ("foreign.jsonl", "E-SIGNATURE", "checkpoint"),
        ("changed.jsonl", "E-INTEGRITY", "audit-copy"),
        ("cut.jsonl", "E-INTEGRITY", "audit-copy"),
        ("long.jsonl", "E-FORMAT", "audit-copy"),
        ("unsigned.jsonl", "E-FORMAT", "grammar"),
    ] {
        bench.refused(&format!("audit verify --against {file}"), class, code);
    }
}

#[test]
fn a_log_that_was_changed_is_named_by_its_first_row() {
    let bench = Bench::new();
    act(&bench);
    act(&bench);
    bench.good("audit export -o copy.jsonl");
    let domain = bench.chain("acme").domain();
    for (damage, said) in [
        (
            "UPDATE audit SET detail = '{}' WHERE number = 2",
            "audit row 2 is not what was written",
        ),
        (
            "UPDATE stream_audit SET detail = '{}' WHERE number = 2",
            "row 2 of the stream log",
        ),
        (
            "UPDATE stream_audit SET seal = zeroblob(32) WHERE number = 3",
            "row 3 of the stream log",
        ),
    ] {
        let db = read(&bench.state().join("airlock.db"));
        sql(&bench, damage);
        let ended = bench.refused("audit verify", "E-STATE", "audit-broken");
        assert!(ended.stderr.contains(said), "{damage}: {}", ended.stderr);
        let against = bench.refused("audit verify --against copy.jsonl", "E-STATE", "audit-broken");
        let compared = if damage.starts_with("UPDATE audit") {
            "copy.jsonl: audit row 2 is not what it was when it left"
        } else {
            "copy.jsonl: the log begins with its"
        };
        assert!(against.stderr.contains(compared), "{damage}: {}", against.stderr);
        for name in ["airlock.db-wal", "airlock.db-shm"] {
            std::fs::remove_file(bench.state().join(name)).ok();
        }
        write(&bench.state().join("airlock.db"), &db);
        bench.good("audit verify --against copy.jsonl");
    }
    // Rewritten as a whole, it holds in itself.
    let db = Db::open(&bench.state().join("airlock.db"), &Schema::SITE).unwrap();
    db.write(|tx| {
        tx.execute_batch(
            "CREATE TEMP TABLE kept AS SELECT at, action, detail FROM audit WHERE number <> 2 ORDER BY number;
             DELETE FROM stream_audit; DELETE FROM audit",
        )
        .sql("rewrite")?;
        let rows: Vec<(i64, String, String)> = {
            let mut select = tx.prepare("SELECT at, action, detail FROM kept").unwrap();
            let rows = select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .unwrap();
            rows.map(Result::unwrap).collect()
        };
        for (at, action, detail) in rows {
            let at = airlock::domain::Timestamp::from_unix(at).unwrap();
            let detail: Value = serde_json::from_str(&detail).unwrap();
            let told = stream_log::Told {
                domain,
                detail: json!({}),
            };
            audit::append(tx, at, &action, &detail, &[told])?;
        }
        Ok(())
    })
    .unwrap();
    drop(db);
    assert_eq!(bench.good("audit verify")["rows"], 2);
    let ended = bench.refused("audit verify --against copy.jsonl", "E-STATE", "audit-differs");
    assert!(
        ended.stderr.contains("audit row 2 is not what it was"),
        "{}",
        ended.stderr
    );
    // Cut at its end, it holds in itself too.
    sql(
        &bench,
        "DELETE FROM stream_audit WHERE row = 2; DELETE FROM audit WHERE number = 2",
    );
    bench.good("audit verify");
    bench.refused("audit verify --against copy.jsonl", "E-STATE", "audit-differs");
}

#[test]
fn an_acknowledgement_names_a_seal_of_the_stream() {
    let bench = Bench::new();
    act(&bench);
    let stream = streams::only(&bench.state());
    let made = bench.good("vendor enroll --yes plant.json --name plant");
    let keys: Vec<_> = std::fs::read_dir(bench.path("acme/keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            path.extension().is_some_and(|ending| ending == "pem") && !name.starts_with("root")
        })
        .collect();
    let key = |role: &str| {
        let path = keys
            .iter()
            .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(role));
        KeyFile::read(path.unwrap()).unwrap().signing_key(None).unwrap()
    };
    let acknowledge = |name: &str, role: &str, site: &Value, number: u64, hash: Value| {
        let payload = json!({
            "alarms": [], "audit": {"hash": hash, "number": number}, "domain": stream.domain,
            "instance": "0".repeat(32), "issued_at": "2026-11-21T10:00:00Z", "number": 1, "packages": [],
            "reader": "0.1.0", "receipts": 0, "records": 0, "requires": [], "site": site,
        });
        let envelope = Envelope::sign(
            PayloadType::StatusAcknowledgement,
            canonical::to_vec(&payload),
            &[&key(role)],
        );
        write(&bench.path(name), &canonical::to_vec(&envelope));
    };
    let (site, seal) = (&made["site"], |row: usize| json!(stream.rows[row - 1].seal));
    acknowledge("good", "ack", site, 2, seal(2));
    let compared = bench.good("audit verify --against good");
    assert_eq!(
        compared["against"],
        json!([{"file": "good", "kind": "acknowledgement", "row": 2}])
    );
    acknowledge("other-row", "ack", site, 1, seal(2));
    acknowledge("longer", "ack", site, 3, seal(2));
    acknowledge("release-key", "release", site, 2, seal(2));
    acknowledge("other-site", "ack", &json!("0".repeat(32)), 2, seal(2));
    for (file, class, code) in [
        ("other-row", "E-STATE", "audit-differs"),
        ("longer", "E-STATE", "audit-differs"),
        ("release-key", "E-SIGNATURE", "below-threshold"),
        ("other-site", "E-AUDIENCE", "site"),
    ] {
        bench.refused(&format!("audit verify --against {file}"), class, code);
    }
}

/// M-106: what was signed says later whether the log still has these rows, whichever status key signed it.
#[test]
fn a_package_names_the_rows_that_it_carried() {
    let bench = Bench::new();
    act(&bench);
    bench.good("status export 1.airlock-status");
    let site = bench.state();
    let compared = bench.good("audit verify --against 1.airlock-status");
    let row = streams::only(&site).rows.len() - 1;
    assert_eq!(
        compared["against"],
        json!([{"file": "1.airlock-status", "kind": "package", "row": row}])
    );
    bench.good("status rotate-key --yes");
    bench.good("status export 2.airlock-status");
    bench.good("audit verify --against 1.airlock-status --against 2.airlock-status");
    // Another site's, one that nobody signed, a damaged one, and a pipe.
    let other = Bench::new();
    other.good("status export 1.airlock-status");
    write(&bench.path("theirs"), &read(&other.path("1.airlock-status")));
    bench.edit("2.airlock-status", "cut", |bytes| bytes.truncate(bytes.len() - 1));
    bench.good("status preview");
    let draft = std::fs::read_dir(site.join("outbox"))
        .unwrap()
        .map(|one| one.unwrap().path());
    let draft = draft
        .max_by_key(|path| path.metadata().unwrap().modified().unwrap())
        .unwrap();
    write(&bench.path("draft"), &read(&draft));
    for (file, class, code) in [
        ("theirs", "E-AUDIENCE", "site"),
        ("draft", "E-SIGNATURE", "below-threshold"),
        ("cut", "E-INCOMPLETE", "truncated"),
    ] {
        let ended = bench.run(&format!("audit verify --against {file}"));
        let refusal = ended.refusal.unwrap_or_else(|| panic!("{file}: {}", ended.stderr));
        assert_eq!(refusal.0, class, "{file}: {code} {}", ended.stderr);
    }
    // The log is rewritten as a whole, so that it holds in itself: the package has another row.
    let domain = streams::only(&site).domain;
    let db = Db::open(&site.join("airlock.db"), &Schema::SITE).unwrap();
    let rows = db.read(|c| stream_log::list(c, domain, 0, 100)).unwrap();
    let mut seal = db.read(|c| stream_log::seal(c, domain, 0)).unwrap().unwrap();
    db.write(|tx| {
        for row in &rows {
            let mut detail: Value = serde_json::from_str(&row.detail).unwrap();
            if row.number == 2 {
                detail["reason"] = json!("other");
            }
            seal = stream_seal(seal, row.number, row.at, &row.action, &detail);
            tx.execute(
                "UPDATE stream_audit SET detail = ?, seal = ? WHERE domain = ? AND number = ?",
                rusqlite::params![detail.to_string(), seal, domain, row.number],
            )
            .sql("damage")?;
        }
        Ok(())
    })
    .unwrap();
    drop(db);
    // What was signed here shows that, as long as its rows are here.
    for (damage, code) in [("", "audit-broken"), ("DELETE FROM package", "audit-differs")] {
        sql(&bench, damage);
        let ended = bench.refused("audit verify --against 1.airlock-status", "E-STATE", code);
        assert!(
            ended.stderr.contains("up to row 2 is not what it was"),
            "{}",
            ended.stderr
        );
    }
}
