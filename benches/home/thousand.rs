//! How long questions take at a thousand sites with a year behind them, beside a walk through one table.

use std::path::Path;
use std::time::Instant;

use airlock::crypto::SigningKey;
use airlock::db::ledger::findings;
use airlock::domain::{SiteId, Timestamp};
use airlock::vendor_side::ledger::ask::{self, Limits};
use airlock::vendor_side::{Init, SigningTime, Workspace};
use rusqlite::Connection;

use super::taken::{least, millis};

/// What every question must stay below, in milliseconds.
const MOST: f64 = 100.0;

const SITES: u32 = 1000;
/// Deployments of each site, ten of each of five products; releases of each product.
const FILL: &str = "
WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 50000)
INSERT INTO deployment_now SELECT printf('%032x', (v - 1) / 50 + 1), unhex(printf('%032x', v)), unhex(printf('%032x', 1000000 + v)),
  unhex(printf('%032x', v * 1000 + 12)), unhex(printf('%032x', v * 1000 + 12 - v % 3)), unhex(printf('%032x', v * 1000 + 12 - v % 3)), NULL,
  CASE WHEN v % 500 = 0 THEN 'error' ELSE 'healthy' END, 'well', 1790000000, 1790100000, 1411, NULL, unhex(printf('%064x', (v - 1) / 50 + 1)), NULL FROM n;
WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 50000)
INSERT INTO target_now SELECT printf('%032x', (v - 1) / 50 + 1), unhex(printf('%032x', 1000000 + v)), 1790100000, 1780000000, '2.1', NULL, NULL, NULL, NULL,
  unhex(printf('%064x', (v - 1) / 50 + 1)) FROM n;
WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 50000)
INSERT INTO signed_deployment SELECT unhex(printf('%032x', v)), printf('%032x', (v - 1) / 50 + 1), printf('p%d', v % 5), 'stable', 0, 12,
  unhex(printf('%032x', 1000000 + v)), 'web' FROM n;
INSERT INTO signed_target SELECT target, site, product, channel, epoch, sequence, 'hall' FROM signed_deployment;
WITH RECURSIVE n(v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM n WHERE v < 59)
INSERT INTO signed_head SELECT v + 1, unhex(printf('%064x', 7000 + v)), x'7b7d', zeroblob(32), 5 FROM n;
INSERT INTO signed_release SELECT zeroblob(32), printf('p%d', (id - 1) % 5), 'stable', 0, (id - 1) / 5 + 1, head, printf('%d.0', (id - 1) / 5 + 1), 1780000000 FROM signed_head;
INSERT INTO signed_audience SELECT id, '' FROM signed_head;
INSERT INTO signed_fix SELECT 'CVE-2026-1', id FROM signed_head WHERE (id - 1) / 5 + 1 >= 11;
INSERT INTO signed_revision SELECT unhex(printf('%032x', n.v * 1000 + h.s)), unhex(printf('%032x', n.v)), (h.s - 1) * 5 + n.v % 5 + 1
  FROM (WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 50000) SELECT v FROM n) n,
       (WITH RECURSIVE s(s) AS (SELECT 1 UNION ALL SELECT s + 1 FROM s WHERE s < 12) SELECT s FROM s) h;
INSERT INTO instance SELECT (SELECT count(*) FROM site s WHERE s.site <= site.site), site, site, NULL, 1, 1, 1 FROM site;
INSERT INTO held SELECT i.site, h.head, r.product, 'stable', 0, r.sequence, CASE r.sequence WHEN 12 THEN 'active' ELSE 'retired' END, 1780000000, 1780000000, 1,
  unhex(printf('%064x', i.id)) FROM instance i, signed_release r JOIN signed_head h ON h.head = r.head WHERE r.sequence > 9;
WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 52)
INSERT INTO package SELECT unhex(printf('%064x', CASE n.v WHEN 52 THEN i.id ELSE 100000 + i.id * 100 + n.v END)), i.id, n.v, NULL, 1780000000 + n.v * 604800, 1780000100 + n.v * 604800,
  zeroblob(2000) FROM instance i, n;
INSERT INTO coverage SELECT id, 1, 1, 26300 FROM instance UNION ALL SELECT id, 2, 1, 130 FROM instance UNION ALL SELECT id, 3, 1, 400 FROM instance;
WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 130)
INSERT INTO receipt SELECT i.id, n.v, 1780000000, unhex(printf('%064x', 7000 + n.v % 60)), printf('p%d', n.v % 5), 'stable', 0, n.v % 60 / 5 + 1,
  CASE WHEN n.v % 65 = 0 THEN 'refused' WHEN n.v % 2 = 0 THEN 'activated' ELSE 'imported' END, NULL, NULL, 1, zeroblob(700) FROM instance i, n;
INSERT INTO finding (site, code, detail, count, at) SELECT site, 'package-missing', 'package 3 is missing', 1, 1790000000 FROM site WHERE site LIKE '%0';
WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 52000)
INSERT INTO audit SELECT v, 1780000000 + v, CASE WHEN v % 100 = 0 THEN 'refuse' ELSE 'ingest' END,
  json_object('class', 'E-EQUIVOCATION', 'code', 'previous', 'found', 'two', 'site', printf('%032x', v % 1000 + 1)), zeroblob(32) FROM n;
";

/// Records of a year of one site, those of its fifty deployments in turn; `?1` is the site, `?2` how many.
const RECORDS: &str = "
WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < ?2)
INSERT INTO record SELECT ?1, v, 1, 1760000000 + v * 1200, 1760000000 + v * 1200, 1, 1, NULL, unhex(printf('%032x', 1000000 + (?1 - 1) * 50 + v % 50 + 1)),
  unhex(printf('%032x', (?1 - 1) * 50 + v % 50 + 1)), zeroblob(16), 'healthy', 'well', NULL FROM n";

/// Fills in what the product keeps beside each deployment when it takes a package in.
const NEWEST: &str = "UPDATE deployment_now SET newest = (SELECT max(head) FROM signed_revision r WHERE r.deployment = deployment_now.deployment
  AND r.revision = deployment_now.runs)";

pub(crate) fn run(folder: &Path) {
    let time = |text: &str| -> Timestamp { text.parse().unwrap() };
    let init = Init {
        products: vec!["acme-erp".parse().unwrap()],
        vendor: "Acme".into(),
        root_keys: 1,
        threshold: 1,
        time: SigningTime::at(time("2026-01-01T00:00:00Z")),
        issued_at: time("2026-01-01T00:00:00Z"),
        expires: time("2100-01-01T00:00:00Z"),
    };
    let workspace = Workspace::init(&folder.join("w"), &init, None).unwrap();
    let path = folder.join("w/ledger.db");
    let mut sql = Connection::open(&path).unwrap();
    let key = SigningKey::from_secret(&[7; 32]).public();
    sql.execute_batch("BEGIN").unwrap();
    for number in 1..=SITES {
        let id: SiteId = format!("{number:032x}").parse().unwrap();
        sql.execute(
            "INSERT INTO site (site, name, status, recipient, envelope, enrolled_at) VALUES (?1, ?1, ?2, zeroblob(32), x'', 0)",
            rusqlite::params![id.as_str(), key.to_bytes()],
        )
        .unwrap();
    }
    sql.execute_batch("COMMIT").unwrap();
    let begun = Instant::now();
    let transaction = sql.transaction().unwrap();
    transaction.execute_batch(FILL).unwrap();
    // The page's year for twenty sites, a line a day for each other one.
    for site in 1..=SITES {
        let records = if site <= 20 { 26_300 } else { 520 };
        transaction.execute(RECORDS, [site, records]).unwrap();
    }
    transaction.execute_batch(NEWEST).unwrap();
    transaction.commit().unwrap();
    sql.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let size = std::fs::metadata(&path).unwrap().len() >> 20;
    println!("  ledger of {size} MiB made in {:.1} s", begun.elapsed().as_secs_f64());
    let (floor, _) = least(5, || {
        let walk = "SELECT sum(length(package)) FROM deployment_now";
        sql.query_row(walk, [], |row| row.get::<_, u64>(0)).unwrap()
    });
    println!("  {:24} {:7.1} ms", "floor: one table walked", millis(floor));
    sql.close().unwrap();

    let limits = Limits {
        now: Timestamp::from_unix(1_812_000_000).unwrap(),
        as_of: 30 * 86_400,
        seen: 30 * 86_400,
    };
    let site = format!("{:032x}", 7);
    let workspace = &workspace;
    let questions: [(&str, &dyn Fn() -> usize); 8] = [
        ("status show", &|| ask::fleet(workspace, &limits).unwrap().sites.len()),
        ("status show SITE", &|| {
            ask::site(workspace, &site, 3).unwrap().deployments().count()
        }),
        ("who-lacks", &|| {
            let answer = ask::who_lacks(workspace, "CVE-2026-1", &limits).unwrap();
            assert_eq!(answer.bars.len(), 5);
            answer.rows.len()
        }),
        ("who-lacks, a version", &|| {
            let answer = ask::who_lacks(workspace, "12.0", &limits).unwrap();
            answer.rows.len()
        }),
        ("ledger show", &|| ask::signed_releases(workspace).unwrap().len()),
        ("ledger sites", &|| ask::sites(workspace).unwrap().len()),
        ("findings", &|| {
            let db = workspace.ledger().unwrap();
            db.read(|c| findings::open(c, None)).unwrap().len()
        }),
        ("report of a month", &|| {
            let period = ask::Period {
                since: Timestamp::from_unix(1_780_000_000).unwrap(),
                until: Timestamp::from_unix(1_782_600_000).unwrap(),
            };
            ask::report(workspace, &site, &ask::ReportOf::Period(period), &limits)
                .unwrap()
                .tables
                .len()
        }),
    ];
    let mut late = Vec::new();
    for (name, question) in questions {
        let (taken, answers) = least(5, question);
        println!("  {name:24} {:7.1} ms, {answers} answers", millis(taken));
        assert!(answers > 0, "{name}");
        if millis(taken) >= MOST {
            late.push(name);
        }
    }
    assert!(late.is_empty(), "{MOST} ms and more: {late:?}");
}
