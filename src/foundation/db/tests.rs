//! Tests of the database as its users see it: opening, publishing, activating, asking.

use std::collections::BTreeMap;
use std::path::Path;

use crate::crypto::{ReceiptResult, SigningKey};
use crate::db::site::names::{Answers, Candidate, Candidates, Moment};
use crate::db::site::receipts::Signer;
use crate::db::site::release::{Activated, State};
use crate::db::site::{BlobRow, NameRow, Page, Publication, PublishedRows};
use crate::db::site::{appliance, audit, name_claims, names, receipts, release, stream_log, targets, time_floor};
use crate::db::{Db, Schema, SqlResult as _};
use crate::domain::{Class, Counter, Digest, Hash, RepositoryName, Result, Scope, Tag, Timestamp};

fn digest(n: u32) -> Digest {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    Digest(Hash(bytes))
}

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn scope(product: &str) -> Scope {
    Scope {
        domain: Hash([1; 32]),
        product: product.parse().unwrap(),
        channel: "stable".parse().unwrap(),
    }
}

fn fresh(folder: &Path) -> Db {
    let db = Db::create(&folder.join("airlock.db"), &Schema::SITE).unwrap();
    let site = appliance::ApplianceRow {
        site: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        name: "plant".into(),
        created_at: Timestamp::EPOCH,
    };
    db.write(|tx| appliance::insert(tx, &site)).unwrap();
    db
}

fn tagged(name: &str, tag: &str, n: u32) -> Vec<NameRow> {
    let (repository, digest) = (repository(name), digest(n));
    vec![
        NameRow::Content {
            repository: repository.clone(),
            digest,
            media_type: Some("application/vnd.oci.image.manifest.v1+json".into()),
        },
        NameRow::Tag {
            repository,
            tag: tag.parse().unwrap(),
            digest,
        },
    ]
}

fn publish(
    db: &Db,
    product: &str,
    sequence: u64,
    at: i64,
    live: bool,
    blobs: &[u32],
    names: Vec<NameRow>,
) -> Result<PublishedRows> {
    let mut blobs = blobs.iter().map(|n| {
        Ok(BlobRow {
            digest: digest(*n),
            size: u64::from(*n),
            pieces: (*n > 100).then(|| (10, vec![Hash([7; 32]); 2])),
        })
    });
    let mut names = names.into_iter().map(Ok);
    db.write(|tx| {
        crate::db::site::publish(
            tx,
            Publication {
                scope: scope(product),
                counter: Counter { epoch: 0, sequence },
                head: Hash([u8::try_from(at).unwrap(); 32]),
                head_bytes: b"{}",
                signatures: b"[]",
                root_version: 1,
                version: "1.0",
                imported_at: Timestamp::EPOCH.plus_seconds(at),
                confirmed_date: None,
                home_hosts: &["docker.io".into()],
                pages: &[Page {
                    sha256: Hash([9; 32]),
                    size: 5,
                }],
                time_floor: Timestamp::EPOCH.plus_seconds(at),
                targets: &targets::TargetSet::default(),
                activate: live,
                waits: false,
                blobs: &mut blobs,
                names: &mut names,
                signer: &signer(),
            },
        )
    })
}

fn signer() -> Signer {
    Signer {
        site: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        instance: "11112222333344445555666677778888".parse().unwrap(),
        key: SigningKey::from_secret(&[7; 32]),
    }
}

#[test]
fn a_new_database_opens_again_and_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airlock.db");
    let db = fresh(folder.path());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let error = Db::create(&path, &Schema::SITE).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::State, "exists"));
    db.quick_check().unwrap();
    drop(db);
    let again = Db::open(&path, &Schema::SITE).unwrap();
    assert_eq!(again.read(appliance::get).unwrap().name, "plant");
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let refusal = |schema: &Schema| {
        let before = std::fs::metadata(&path).ok().map(|m| (m.len(), m.modified().unwrap()));
        let error = Db::open(&path, schema).unwrap_err();
        assert_eq!(
            before,
            std::fs::metadata(&path).ok().map(|m| (m.len(), m.modified().unwrap()))
        );
        assert_eq!(error.class(), Class::State, "{error}");
        error.code()
    };
    assert_eq!(refusal(&Schema::SITE), "database-missing");
    std::fs::File::create(&path).unwrap();
    assert_eq!(refusal(&Schema::SITE), "database-damaged");
    std::fs::File::create(&path).unwrap().set_len(8192).unwrap();
    assert_eq!(refusal(&Schema::SITE), "database-damaged");
    std::fs::remove_file(&path).unwrap();
    drop(Db::create(&path, &Schema::STATUS).unwrap());
    assert_eq!(refusal(&Schema::SITE), "other-database");
    let newer = Db::open(&path, &Schema::STATUS).unwrap();
    newer
        .write(|tx| tx.pragma_update(None, "user_version", 99).sql("raise"))
        .unwrap();
    drop(newer);
    assert_eq!(refusal(&Schema::STATUS), "schema-too-new");
}

#[test]
fn a_schema_is_made_whole_or_not_at_all() {
    const BROKEN: Schema = Schema {
        name: "test",
        application_id: 77,
        sql: "CREATE TABLE a (x INTEGER) STRICT; CREATE TABLE a (x INTEGER);",
        page_bytes: 4096,
        patience: crate::db::PATIENCE,
        damaged: "nothing",
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    assert_eq!(Db::create(&path, &BROKEN).unwrap_err().class(), Class::Internal);
    let refused = Db::open(&path, &BROKEN).unwrap_err();
    assert_eq!((refused.class(), refused.code()), (Class::State, "other-database"));
    let tables: u32 = crate::db::Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn a_damaged_page_is_found() {
    use std::os::unix::fs::FileExt as _;
    let folder = tempfile::tempdir().unwrap();
    drop(fresh(folder.path()));
    let path = folder.path().join("airlock.db");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; 64], 2 * 4096).unwrap();
    let found = Db::open(&path, &Schema::SITE).and_then(|db| db.quick_check());
    assert_eq!(found.unwrap_err().class(), Class::State);
}

#[test]
fn publishing_is_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path());
    let first = publish(&db, "erp", 5, 1, true, &[1, 2, 200], tagged("docker.io/a", "v1", 1)).unwrap();
    assert_eq!(
        (first.receipt.number, first.receipt.result),
        (1, ReceiptResult::Imported)
    );
    assert_eq!(
        first.activated,
        Some(Activated::Now {
            previous: None,
            generation: 1
        })
    );
    for (sequence, blobs, names, code) in [
        (5, &[3][..], vec![], "older"),
        (4, &[3][..], vec![], "older"),
        (6, &[3][..], tagged("docker.io/a", "v2", 2), "unknown-blob"),
    ] {
        assert_eq!(
            publish(&db, "erp", sequence, 2, true, blobs, names).unwrap_err().code(),
            code
        );
    }
    db.read(|c| {
        assert_eq!(release::list(c)?.len(), 1);
        assert_eq!(release::mark(c, &scope("erp"))?.unwrap().counter.sequence, 5);
        assert_eq!(appliance::generation(c)?, 1);
        assert_eq!(
            time_floor::get(c, Hash([1; 32]))?,
            Some(Timestamp::EPOCH.plus_seconds(1))
        );
        assert_eq!(time_floor::get(c, Hash([2; 32]))?, None);
        let results: Vec<_> = receipts::list(c, Hash([1; 32]), 0, 9)?
            .iter()
            .map(|row| (row.number, row.result))
            .collect();
        assert_eq!(results, [(1, ReceiptResult::Imported), (2, ReceiptResult::Activated)]);
        assert_eq!(receipts::list(c, Hash([2; 32]), 0, 9)?, []);
        assert_eq!(stream_log::verify(c, Hash([1; 32]))?, 2);
        assert_eq!(audit::verify(c)?, 2);
        assert_eq!(release::retained_blob(c, Hash([1; 32]), &digest(2))?, Some(2));
        assert_eq!(release::retained_blob(c, Hash([1; 32]), &digest(3))?, None);
        assert_eq!(release::retained_blob(c, Hash([2; 32]), &digest(2))?, None);
        assert_eq!(names::pieces(c, &digest(200))?.unwrap().1.len(), 2);
        assert_eq!(release::pages(c, first.id)?.len(), 1);
        assert_eq!(name_claims::homes_of(c, first.id)?, ["docker.io"]);
        assert_eq!(release::totals(c, first.id)?, (3, 203));
        Ok(())
    })
    .unwrap();
    let second = publish(&db, "erp", 6, 2, false, &[2], tagged("docker.io/a", "v2", 2)).unwrap();
    assert_eq!((second.receipt.number, second.activated), (3, None));
}

#[test]
fn an_earlier_release_can_go_live_again() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path());
    let first = publish(&db, "erp", 1, 1, true, &[1], vec![]).unwrap().id;
    let second = publish(&db, "erp", 2, 2, true, &[1], vec![]).unwrap().id;
    let at = Timestamp::EPOCH.plus_seconds(3);
    let activated = db
        .write(|tx| release::activate(tx, first, at, targets::Undeploy::AsSigned, &signer()))
        .unwrap();
    assert_eq!(
        activated,
        Activated::Now {
            previous: Some(Hash([2; 32])),
            generation: 3
        }
    );
    assert_eq!(
        db.write(|tx| release::activate(tx, first, at, targets::Undeploy::AsSigned, &signer()))
            .unwrap(),
        Activated::Already
    );
    db.read(|c| {
        let states: Vec<_> = release::list(c)?
            .iter()
            .map(|r| (r.id, r.state, r.retired_at))
            .collect();
        assert_eq!(
            states,
            [(second, State::Retired, Some(at)), (first, State::Active, None)]
        );
        assert_eq!(release::mark(c, &scope("erp"))?.unwrap().counter.sequence, 2);
        assert_eq!(release::readable(c, at)?.len(), 1);
        assert_eq!(release::readable(c, Timestamp::EPOCH.plus_seconds(2))?.len(), 2);
        assert_eq!(audit::verify(c)?, 5);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_lost_mark_is_never_zero() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path());
    assert_eq!(db.read(|c| release::mark(c, &scope("erp"))).unwrap(), None);
    publish(&db, "erp", 1, 1, true, &[1], vec![]).unwrap();
    assert_eq!(db.read(|c| release::mark(c, &scope("other"))).unwrap(), None);
    db.write(|tx| tx.execute_batch("DELETE FROM mark").sql("damage"))
        .unwrap();
    let code = || db.read(|c| release::mark(c, &scope("erp"))).unwrap_err().code();
    assert_eq!(code(), "mark-missing");
    db.write(|tx| {
        tx.execute_batch(
            "DELETE FROM release_page; DELETE FROM home_host; DELETE FROM release_blob; DELETE FROM release",
        )
        .sql("damage")
    })
    .unwrap();
    assert_eq!(code(), "mark-missing");
}

#[test]
fn names_stay_inside_the_releases_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path());
    let mut first = tagged("docker.io/a", "v1", 1);
    first.extend(tagged("docker.io/a", "same", 1));
    first.extend(tagged("quay.io/b", "v1", 2));
    for n in 10..15 {
        first.push(NameRow::Content {
            repository: repository("docker.io/a"),
            digest: digest(n),
            media_type: Some("m".into()),
        });
        first.push(NameRow::Referrer {
            subject: digest(1),
            digest: digest(n),
            artifact_type: Some(if n % 2 == 0 { "even" } else { "odd" }.into()),
            annotations: "{}".into(),
        });
    }
    let first = publish(&db, "erp", 1, 1, true, &[1, 2, 10, 11, 12, 13, 14], first)
        .unwrap()
        .id;
    let mut second = tagged("docker.io/a", "v1", 3);
    second.extend(tagged("docker.io/a", "same", 1));
    let second = publish(&db, "crm", 1, 2, true, &[1, 3], second).unwrap().id;
    let none = BTreeMap::new();
    let one = Moment::new(1, [first], [first], &none);
    let both = Moment::new(2, [first, second], [first, second], &none);
    let name = |answers| Candidate {
        repository: repository("docker.io/a"),
        answers,
        host_owner: None,
    };
    let a: Candidates = [&name(Answers::Owner)].into_iter().collect();
    let scope = |id| db.read(|c| Ok(release::list(c)?.into_iter().find(|r| r.id == id).unwrap().scope_id));
    let crm: Candidates = [&name(Answers::Alone(scope(second).unwrap()))].into_iter().collect();
    let v1 = "v1".parse().unwrap();
    let (same_and_v1, only_v1): (Vec<Tag>, Vec<Tag>) = (
        vec!["same".parse().unwrap(), "v1".parse().unwrap()],
        vec!["v1".parse().unwrap()],
    );
    db.read(|c| {
        let tag = |moment: &Moment, asked: &Candidates| {
            names::tag(c, moment, asked, &v1).map(|found| found.map(|found| found.digest))
        };
        assert_eq!(tag(&one, &a)?, Some(digest(1)));
        // The second scope takes nothing from the first, and has its own for itself.
        assert_eq!(tag(&both, &a)?, Some(digest(1)));
        assert_eq!(tag(&both, &crm)?, Some(digest(3)));
        assert_eq!(names::content(c, &one, &a, &digest(1))?.unwrap().size, 1);
        assert_eq!(names::content(c, &one, &a, &digest(3))?, None);
        assert_eq!(names::content(c, &both, &a, &digest(3))?.unwrap().size, 3);
        assert_eq!(names::content(c, &both, &a, &digest(2))?, None);
        let tags = |moment: &Moment, last: &str, limit| -> Result<(Vec<Tag>, Option<String>)> {
            let page = names::tags(c, moment, &a, last, limit)?;
            Ok((page.tags, page.next.map(|next| next.to_string())))
        };
        assert_eq!(tags(&one, "", 9)?, (same_and_v1.clone(), None));
        assert_eq!(tags(&both, "", 9)?, (same_and_v1.clone(), None));
        assert_eq!(tags(&both, "", 2)?, (same_and_v1.clone(), None));
        assert_eq!(tags(&both, "", 1)?.1.as_deref(), Some("same"));
        assert_eq!(tags(&one, "same", 9)?, (only_v1.clone(), None));
        assert_eq!(names::catalogue(c, &both, "", 9)?.len(), 2);
        assert_eq!(names::catalogue(c, &both, "docker.io/a", 9)?, [repository("quay.io/b")]);
        let referrers = |artifact_type: Option<&str>, last: Option<Digest>, limit| -> Result<Vec<Digest>> {
            let page = names::ReferrersPage {
                artifact_type,
                last: last.as_ref(),
                entries: limit,
                annotation_bytes: 1 << 20,
            };
            let (found, more) = names::referrers(c, &both, &a, &digest(1), &page)?;
            assert_eq!(more, limit == 2);
            Ok(found.into_iter().map(|r| r.digest).collect())
        };
        assert_eq!(referrers(None, None, 2)?, [digest(10), digest(11)]);
        assert_eq!(
            referrers(None, Some(digest(11)), 9)?,
            [digest(12), digest(13), digest(14)]
        );
        assert_eq!(referrers(Some("odd"), None, 9)?, [digest(11), digest(13)]);
        // Annotations bound a page too, and each page has at least one entry.
        for (annotation_bytes, count) in [(0, 1), (4, 2), (5, 2), (6, 3), (100, 5)] {
            let page = names::ReferrersPage {
                artifact_type: None,
                last: None,
                entries: 9,
                annotation_bytes,
            };
            let (found, more) = names::referrers(c, &both, &a, &digest(1), &page)?;
            assert_eq!((found.len(), more), (count, count < 5), "{annotation_bytes}");
        }
        assert_eq!(names::examples(c, &both)?[0].0, repository("docker.io/a"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_watch_sees_the_transactions_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path());
    let mut watch = db.watch().unwrap();
    assert!(!watch.changed().unwrap());
    publish(&db, "erp", 1, 1, true, &[1], vec![]).unwrap();
    assert!(watch.changed().unwrap());
    assert!(!watch.changed().unwrap());
    let other = Db::open(&folder.path().join("airlock.db"), &Schema::SITE).unwrap();
    publish(&other, "erp", 2, 2, true, &[1], vec![]).unwrap();
    assert!(watch.changed().unwrap());
}

#[test]
fn a_full_file_is_no_space() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path());
    let refused: Result<()> = db.write(|tx| {
        tx.pragma_update_and_check(None, "max_page_count", 1, |row| row.get::<_, i64>(0))
            .sql("bound the file")?;
        tx.execute_batch("CREATE TABLE filler (x BLOB); INSERT INTO filler VALUES (zeroblob(1000000))")
            .sql("fill the file")
    });
    assert_eq!(refused.unwrap_err().class(), Class::Space);
    db.quick_check().unwrap();
}

/// What is asked once for each blob of a bundle never walks through a table (J17).
#[test]
fn questions_asked_for_every_blob_are_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path());
    for query in [release::IS_REFERENCED, release::RETAINED_BLOB] {
        let plan: Vec<String> = db
            .read(|connection| {
                let mut explain = connection
                    .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
                    .sql("explain")?;
                let steps = explain
                    .query_map([None::<i64>, None], |row| row.get(3))
                    .sql("explain")?;
                steps.collect::<rusqlite::Result<_>>().sql("explain")
            })
            .unwrap();
        let scans = plan
            .iter()
            .filter(|step| step.starts_with("SCAN") && *step != "SCAN CONSTANT ROW");
        assert_eq!(scans.count(), 0, "{plan:?}");
    }
}

/// The background check holds nothing that anybody waits for: neither a reader, nor a writer, nor who closes the file and moves it away.
#[test]
fn a_check_of_a_large_database_keeps_nobody_waiting() {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airlock.db");
    let db = Db::create(&path, &Schema::SITE).unwrap();
    for number in 1..=24_i64 {
        db.write(|tx| {
            tx.execute(
                "INSERT INTO receipt (domain, number, at, head, result, envelope)
                 VALUES (zeroblob(32), ?, 0, zeroblob(32), 'imported', randomblob(8000000))",
                [number],
            )
            .sql("fill")
        })
        .unwrap();
    }
    let checker = db.checker().unwrap();
    let (ended, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let check = scope.spawn(|| {
            let verdict = checker.check();
            ended.store(true, Ordering::SeqCst);
            verdict
        });
        while !ended.load(Ordering::SeqCst) {
            db.write(|tx| tx.execute("UPDATE appliance SET agents = agents + 1", []).sql("write"))
                .unwrap();
            db.read(|c| {
                c.query_row("SELECT count(*) FROM receipt", [], |row| row.get::<_, i64>(0))
                    .sql("read")
            })
            .unwrap();
            answered.fetch_add(usize::from(!ended.load(Ordering::SeqCst)), Ordering::SeqCst);
        }
        check.join().unwrap().unwrap();
    });
    assert!(
        answered.load(Ordering::SeqCst) > 0,
        "nobody was answered while the check ran"
    );
    // And while one is open, the database is closed, moved and made anew.
    let checker = db.checker().unwrap();
    drop(db);
    for side in ["airlock.db-shm", "airlock.db-wal", "airlock.db"] {
        let moved = folder.path().join(side.replace("airlock", "moved"));
        rustix::fs::rename(folder.path().join(side), moved).unwrap();
    }
    let anew = Db::create(&path, &Schema::SITE).unwrap();
    checker.check().unwrap();
    anew.write(|tx| {
        tx.execute("UPDATE appliance SET agents = 1", [])
            .sql("write")
            .map(|_| ())
    })
    .unwrap();
    anew.quick_check().unwrap();
}

/// Thousands of tags that a second scope states in vain make pages shorter, not slower: each page looks at so many and says where it
/// goes on.
#[test]
fn hidden_tags_are_passed_over_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path());
    let name = |number: usize| format!("t{number:05}");
    let many = |blob: u32| -> Vec<NameRow> {
        let mut rows = tagged("docker.io/a", "t99999", blob);
        rows.extend((0..5000).map(|number| NameRow::Tag {
            repository: repository("docker.io/a"),
            tag: name(number).parse().unwrap(),
            digest: digest(blob),
        }));
        rows
    };
    // The first scope claims them all, and states one of them still.
    publish(&db, "erp", 1, 1, true, &[1], many(1)).unwrap();
    let first = publish(&db, "erp", 2, 2, true, &[1], tagged("docker.io/a", "t99999", 1))
        .unwrap()
        .id;
    let second = publish(&db, "crm", 1, 3, true, &[3], many(3)).unwrap().id;
    let moment = Moment::new(3, [first, second], [first, second], &BTreeMap::new());
    let asked: Candidates = [&Candidate {
        repository: repository("docker.io/a"),
        answers: Answers::Owner,
        host_owner: None,
    }]
    .into_iter()
    .collect();
    let (mut pages, mut listed, mut last) = (0, Vec::new(), String::new());
    loop {
        let page = db.read(|c| names::tags(c, &moment, &asked, &last, 10)).unwrap();
        pages += 1;
        listed.extend(page.tags);
        let Some(next) = page.next else { break };
        assert!(next.as_str() > last.as_str(), "{next} after {last}");
        last = next.to_string();
    }
    assert_eq!((pages, listed), (3, vec!["t99999".parse::<Tag>().unwrap()]));
}

/// A copy has what was committed, row ids and kind as they were, while the writer is in the middle of more.
#[test]
fn a_database_is_copied_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path());
    publish(
        &db,
        "web",
        1,
        10,
        true,
        &[1, 2],
        tagged("docker.io/library/web", "1", 1),
    )
    .unwrap();
    let copy = folder.path().join("copy \u{e4}'\"");
    db.write(|tx| {
        tx.execute_batch("DELETE FROM release_blob").sql("change")?;
        db.copy_to(&copy)
    })
    .unwrap();
    let (before, of_copy) = (db.read(release::list).unwrap(), Db::open(&copy, &Schema::SITE).unwrap());
    assert_eq!(of_copy.read(release::list).unwrap(), before);
    let blobs = |db: &Db| db.read(|c| release::blobs(c, before[0].id)).unwrap().len();
    assert_eq!((blobs(&of_copy), blobs(&db)), (2, 0));
    of_copy.quick_check().unwrap();
}
