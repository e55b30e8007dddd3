//! Feeds that misbehave: a pipe that falls silent, one that never ends, one that is cut (B14).

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use airlock::appliance::{Imported, Options, Outcome};
use airlock::domain::Result;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::kit::{Site, verdict};
use crate::format::vectors::{Vector, vectors};

fn subject() -> Vector {
    vectors("good")
        .into_iter()
        .find(|vector| vector.name == "one-image")
        .unwrap()
}

fn pipe(folder: &Path) -> PathBuf {
    let path = folder.join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    path
}

/// Imports from a pipe that `feed` writes to; it holds its end open until the import has ended.
fn import(site: &Site, feed: impl FnOnce(&mut File) + Send) -> Result<Imported> {
    let path = pipe(site.path());
    let (ended, end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let to = path.clone();
        scope.spawn(move || {
            let mut file = File::options().write(true).open(to).unwrap();
            feed(&mut file);
            end.recv().ok();
        });
        let result = site.import_from(&path, Duration::from_millis(300));
        ended.send(()).ok();
        std::fs::remove_file(&path).unwrap();
        result
    })
}

#[test]
fn a_feed_that_falls_silent_is_incomplete_and_the_next_try_succeeds() {
    let vector = subject();
    let bundle = vector.bundle();
    let half = bundle.len() - 1500;
    let site = Site::of(&vector);
    let before = site.world();
    let error = import(&site, |file| file.write_all(&bundle[..half]).unwrap()).unwrap_err();
    assert_eq!(verdict(&error), "E-INCOMPLETE stall at X11");
    assert_eq!(site.world().differs_from(&before, false, true), None);
    // The whole feed, with its end closed in time.
    let imported = site.import(&bundle, &Options::default()).unwrap();
    assert!(matches!(imported.result, Outcome::Published { .. }));
}

#[test]
fn a_feed_that_never_ends_stops_at_the_declared_end() {
    let vector = subject();
    let bundle = vector.bundle();
    let site = Site::of(&vector);
    let before = site.world();
    let error = import(&site, |file| {
        file.write_all(&bundle).unwrap();
        // Until nobody reads any more.
        while file.write_all(&[0; 4096]).is_ok() {}
    })
    .unwrap_err();
    assert_eq!(verdict(&error), "E-FORMAT trailing-data at X12");
    assert_eq!(site.world().differs_from(&before, false, false), None);
    assert!(matches!(
        site.import_newer(&vector).unwrap().result,
        Outcome::Published { .. }
    ));
}
