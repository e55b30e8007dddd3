//! Rows of the database that say nothing of a release, or something else than its bundle: importing it again puts them right, and says so.

use airlock::db::{Db, Schema, SqlResult as _};

use super::ward::{Ward, airlock, audited, human, json, receipts};
use crate::support::appliance::{Serving, wait_for};
use crate::support::bundles::REPOSITORY;
use crate::support::client::get;

/// What the database says of releases, by meaning.
const DUMPS: [&str; 7] = [
    "SELECT group_concat(x, '\n') FROM (SELECT number || hex(sha256) || size AS x FROM release_page ORDER BY 1)",
    "SELECT group_concat(x, '\n') FROM (SELECT hex(digest) || size || coalesce(hex(pieces), '') AS x
     FROM blob JOIN release_blob ON blob = id ORDER BY 1)",
    "SELECT group_concat(x, '\n') FROM (SELECT name || hex(digest) || coalesce(media_type, '-') AS x
     FROM content c JOIN blob b ON b.id = c.blob JOIN repository r ON r.id = c.repository ORDER BY 1)",
    "SELECT group_concat(x, '\n') FROM (SELECT name || tag || hex(digest) AS x
     FROM tag t JOIN blob b ON b.id = t.blob JOIN repository r ON r.id = t.repository ORDER BY 1)",
    "SELECT group_concat(x, '\n') FROM (SELECT hex(subject) || hex(digest) || annotations AS x
     FROM referrer f JOIN blob b ON b.id = f.blob ORDER BY 1)",
    "SELECT group_concat(x, '\n') FROM (SELECT host AS x FROM home_host ORDER BY 1)",
    "SELECT group_concat(x, '\n') FROM (SELECT name AS x
     FROM release_repository rr JOIN repository r ON r.id = rr.repository ORDER BY 1)",
];

fn dump(state: &std::path::Path) -> Vec<Option<String>> {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    let read = |query: &&str| db.read(|c| c.query_row(query, [], |row| row.get(0)).sql("dump"));
    DUMPS.iter().map(|query| read(query).unwrap()).collect()
}

fn change(state: &std::path::Path, sql: &str) {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    db.write(|tx| tx.execute_batch(sql).sql("damage")).unwrap();
}

#[test]
fn f23_rows_that_are_gone_or_wrong_come_back_from_the_bundle() {
    let ward = Ward::new();
    let Ward { state, bundle, .. } = &ward;
    let whole = dump(state);
    assert!(whole[2].is_some() && whole[3].is_some());
    let import = |arguments: &[&str]| json(state, &[&["import", bundle.to_str().unwrap()], arguments].concat());
    assert_eq!(import(&[])["restored_rows"], 0);
    for sql in [
        "UPDATE blob SET size = size + 1",
        "UPDATE release_page SET sha256 = zeroblob(32)",
        "UPDATE release_page SET size = 7",
        "DELETE FROM release_page",
        "DELETE FROM release_blob WHERE blob = (SELECT min(blob) FROM release_blob)",
        "DELETE FROM release_blob",
        "DELETE FROM content WHERE media_type IS NULL",
        "DELETE FROM content",
        "UPDATE content SET media_type = 'text/plain'",
        "DELETE FROM tag",
        "UPDATE tag SET tag = tag || 'x'",
        "DELETE FROM release_repository",
        "INSERT INTO home_host (release, host) VALUES (1, 'elsewhere.test')",
    ] {
        change(state, sql);
        assert_ne!(dump(state), whole, "{sql}");
        // Whoever looks is told, with what mends it; hashing all anew would take a wrong size for damage.
        let mut looks = vec![&["doctor"][..]];
        if sql.contains("tag") {
            looks.push(&["scrub", "--rate", "0"]);
        }
        for look in looks {
            let output = airlock(state, &[&["--format", "json"], look].concat());
            let told = format!("{output:?}");
            assert_eq!(output.status.code(), Some(27), "{sql}: {told}");
            assert!(
                told.contains("release-rows") && told.contains("airlock import FILE"),
                "{sql}: {told}"
            );
        }
        let would = import(&["--dry-run"]);
        let rows = would["restored_rows"].as_u64().unwrap();
        assert!(rows > 0 && would["receipt"].is_null(), "{sql}: {would}");
        let healed = import(&[]);
        assert_eq!(
            (&healed["restored_rows"], &healed["restored_blobs"]),
            (&rows.into(), &0.into()),
            "{sql}"
        );
        assert_eq!(dump(state), whole, "{sql}");
        let (action, detail) = audited(state).pop().unwrap();
        assert_eq!(
            (action.as_str(), &detail["restored_rows"]),
            ("restore", &rows.into()),
            "{sql}"
        );
        assert_eq!(healed["receipt"], receipts(state).last().unwrap().number, "{sql}");
    }
    // The twin: all is whole.
    assert_eq!(import(&[])["restored_rows"], 0);
    let text = human(state, &["import", bundle.to_str().unwrap()]);
    assert!(text.contains("nothing to do"), "{text}");
}

#[test]
fn f23_a_running_server_answers_again_after_rows_came_back() {
    let ward = Ward::new();
    let Ward {
        state, made, bundle, ..
    } = &ward;
    let hex = made.layers[2].0.to_hex();
    change(
        state,
        &format!("UPDATE blob SET size = size - 1 WHERE digest = x'{hex}'; DELETE FROM tag"),
    );
    let serving = Serving::start(state);
    let path = format!("/v2/{REPOSITORY}/blobs/{}", made.layers[2]);
    assert_eq!(get(serving.address, &path).status, 500);
    wait_for("the damage", || get(serving.address, "/readyz").status == 503);
    let healed = human(state, &["import", bundle.to_str().unwrap()]);
    assert!(
        healed.contains("restored 1 blob and ") && healed.contains(" rows of the database;"),
        "{healed}"
    );
    wait_for("the end of it", || get(serving.address, "/readyz").status == 200);
    wait_for("the blob", || get(serving.address, &path).status == 200);
    serving.assert_serves(made);
    let again = human(state, &["import", bundle.to_str().unwrap()]);
    assert!(again.contains("nothing to do"), "{again}");
}

#[test]
fn f23_a_release_under_another_scope_than_its_own_is_told() {
    let ward = Ward::new();
    let Ward { state, .. } = &ward;
    change(state, "UPDATE scope SET channel = 'other'");
    // What is live is checked when it is served.
    let serving = Serving::start(state);
    wait_for("the damage", || get(serving.address, "/readyz").status == 503);
    let ready = get(serving.address, "/readyz").json();
    assert_eq!(ready["problems"][0]["error"], "E-STATE release-damaged", "{ready}");
    let remedy = ready["problems"][0]["remedy"].as_str().unwrap();
    assert!(
        remedy.starts_with("end airlock serve, then put a whole copy of the state folder in its place"),
        "{remedy}"
    );
    change(state, "UPDATE scope SET channel = 'stable'");
    wait_for("the end of it", || get(serving.address, "/readyz").status == 200);
}
