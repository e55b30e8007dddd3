//! Cases F10 and F11: a dead clock stops nothing, a runaway clock leaves nothing behind.

use airlock::appliance::{Appliance, Options, Outcome};
use airlock::db::site::audit;
use airlock::db::{Db, Schema};
use airlock::domain::{Class, Error, FixedClock, Step, Timestamp};
use serde_json::Value;

use crate::support::appliance::{self, check, import_here, scratch, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;
use crate::support::state_fingerprint::StateFingerprint;

struct Setup {
    vendor: Vendor,
    made: appliance::Appliance,
    folder: tempfile::TempDir,
    releases: Vec<Made>,
}

impl Setup {
    fn new() -> Self {
        let vendor = Vendor::new();
        let folder = scratch();
        let releases: Vec<Made> = (1..=3)
            .map(|n| vendor.bundle(n, &[noise(3000, n)], SMALL_CHUNKS))
            .collect();
        for (name, made) in (1..).zip(&releases) {
            write(&folder.path().join(format!("{name}")), &made.bytes);
        }
        Self {
            made: appliance::Appliance::init(&vendor),
            folder,
            releases,
            vendor,
        }
    }

    /// Imports release `number` on a machine whose clock says `clock`.
    fn import(&self, number: u64, clock: &str, date: Option<&str>) -> Result<Outcome, Error> {
        let options = Options {
            confirmed_date: date.map(|date| date.parse().unwrap()),
            ..Options::default()
        };
        let clock = FixedClock(clock.parse::<Timestamp>().unwrap());
        let appliance = Appliance::open(&self.made.path(), std::sync::Arc::new(airlock::domain::SystemClock)).unwrap();
        let bundle = self.folder.path().join(number.to_string());
        import_here(&appliance, &bundle, &options, &clock).map(|imported| imported.result)
    }

    fn live(&self) -> u64 {
        check(&self.made.path(), &self.releases.iter().collect::<Vec<_>>())
    }
}

#[test]
fn a_dead_clock_stops_no_import() {
    let setup = Setup::new();
    for number in 1..=3 {
        let result = setup.import(number, "1970-01-01T00:00:00Z", None).unwrap();
        assert!(matches!(result, Outcome::Published { .. }), "{result:?}");
        assert_eq!(setup.live(), number);
    }
}

#[test]
fn a_runaway_clock_leaves_nothing_behind() {
    let setup = Setup::new();
    setup.import(1, "2026-12-01T00:00:00Z", None).unwrap();
    // The bundles are good until 2090.
    let ahead = "2099-01-01T00:00:00Z";
    let refusal = setup.import(2, ahead, None).unwrap_err();
    assert_eq!(
        (refusal.class(), refusal.code(), refusal.step()),
        (Class::Clock, "clock-ahead", Some(Step::X8))
    );
    assert_eq!(setup.live(), 1);
    // A person who knows the date helps at once …
    setup.import(2, ahead, Some("2026-12-02T00:00:00Z")).unwrap();
    assert_eq!(setup.live(), 2);
    // … and once the clock is right, nothing remembers that it was not.
    setup.import(3, "2026-12-03T00:00:00Z", None).unwrap();
    assert_eq!(setup.live(), 3);
}

/// What the newest row of an act says.
fn newest_detail(state: &std::path::Path, act: &str) -> Value {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    let detail = db.read(|connection| audit::newest_detail(connection, act)).unwrap();
    serde_json::from_str(&detail.unwrap()).unwrap()
}

/// A person's word is for a clock that cannot be believed: what has expired by one that may be right stays refused, the date that was given
/// stands in the rows beside who gave it, and the messages say what helps.
#[test]
fn a_date_given_by_hand_makes_nothing_younger() {
    let setup = Setup::new();
    setup.import(1, "2026-12-01T00:00:00Z", None).unwrap();
    // The bundles are good until 2090, and this clock is not years past everything signed.
    let short = setup.vendor.bundle_as("crm", 2, |release| {
        release.expires = "2026-12-01T20:31:35Z".parse().unwrap();
    });
    write(&setup.folder.path().join("2"), &short.bytes);
    let clock = "2026-12-01T20:38:00Z";
    let expired = "E-EXPIRED bundle";
    for (number, date, refused) in [
        (2, None, expired),
        (2, Some("2026-12-01T20:00:00Z"), expired),
        (2, Some("1970-01-01T00:00:00Z"), expired),
        (2, Some("2026-12-02T00:00:00Z"), expired),
        (3, Some("1970-01-01T00:00:00Z"), "E-USAGE date"),
    ] {
        let before = StateFingerprint::of(&setup.made.path());
        let error = setup.import(number, clock, date).unwrap_err();
        let what = format!("{} {}", error.class(), error.code());
        assert_eq!((what.as_str(), error.step()), (refused, Some(Step::X8)));
        let detail = newest_detail(&setup.made.path(), "refuse");
        assert_eq!(detail["confirmed_date"].as_str(), date, "{detail}");
        let after = StateFingerprint::of(&setup.made.path());
        assert_eq!(after.differs_from(&before, false, false), None);
    }
    // As the messages say: by a clock that was wrong and is right, by today's date or none.
    let asked = setup.import(2, clock, Some("2026-12-01T20:00:00Z")).unwrap_err();
    assert!(
        asked
            .advice()
            .unwrap()
            .contains("where it is wrong, correct it and import again"),
        "{asked}"
    );
    setup
        .import(2, "2026-12-01T20:00:00Z", Some("2026-12-01T20:00:00Z"))
        .unwrap();
    let detail = newest_detail(&setup.made.path(), "import");
    assert_eq!(detail["confirmed_date"], "2026-12-01T20:00:00Z");
    setup.import(3, clock, None).unwrap();
    assert_eq!(
        newest_detail(&setup.made.path(), "import")["confirmed_date"],
        Value::Null
    );
}
