//! What a site holds of twelve releases with 100,000 layers each, beside a bare count of the same rows.

use std::path::Path;

use airlock::db::ledger::base::held_layers;
use airlock::db::{Db, Schema, SqlResult as _};
use airlock::domain::{Hash, SiteId};
use rusqlite::params;
use sha2::{Digest as _, Sha256};

use super::taken::{least, millis};

const RELEASES: u64 = 12;
const LAYERS: u64 = 100_000;
/// Layers that a release has and the one before has not.
const NEW: u64 = 150;

pub(crate) fn run(folder: &Path) {
    let db = Db::create(&folder.join("ledger.db"), &Schema::LEDGER).unwrap();
    let site: SiteId = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let all: Vec<[u8; 32]> = (0..LAYERS + RELEASES * NEW)
        .map(|number| Sha256::digest(number.to_be_bytes()).into())
        .collect();
    db.write(|tx| {
        tx.execute("INSERT INTO site VALUES (?, 'plant', x'', x'', x'', 0, NULL)", [&site])
            .sql("fill")?;
        for release in 0..RELEASES {
            let head = Hash([u8::try_from(release).unwrap(); 32]);
            tx.execute(
                "INSERT INTO signed_head VALUES (?, ?, x'', x'', 0)",
                params![release, head],
            )
            .sql("fill")?;
            tx.execute(
                "INSERT INTO held VALUES (?, ?, 'p', 'stable', 0, ?, 'active', 0, 0, 1)",
                params![site, head, release],
            )
            .sql("fill")?;
            let first = usize::try_from(release * NEW).unwrap();
            let mut own = all[first..first + usize::try_from(LAYERS).unwrap()].to_vec();
            own.sort_unstable();
            let mut insert = tx
                .prepare("INSERT INTO signed_blob VALUES (?, ?, 1000, 1)")
                .sql("fill")?;
            for digest in own {
                insert.execute(params![release, digest.as_slice()]).sql("fill")?;
            }
        }
        Ok(())
    })
    .unwrap();
    let (floor, rows) = least(3, || {
        db.read(|c| {
            let sql = "SELECT count(*) FROM signed_blob WHERE leaf = 1 AND size > 0";
            c.query_row(sql, [], |row| row.get::<_, u64>(0)).sql("count")
        })
        .unwrap()
    });
    let (taken, held) = least(3, || db.read(|c| held_layers(c, &site)).unwrap().sizes.len());
    println!(
        "  {RELEASES} releases of {LAYERS} layers, {held} different: {:.0} ms; {rows} rows counted in {:.0} ms",
        millis(taken),
        millis(floor)
    );
    assert_eq!(held as u64, LAYERS + (RELEASES - 1) * NEW);
    assert!(millis(taken) < 2000.0);
}
