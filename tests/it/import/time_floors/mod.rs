//! Cases K20, K22 and K13: what a vendor dates moves the time of its own domain, up to what the clock or a person confirms, and nothing
//! of anybody else.

use airlock::appliance::{Event, Options, Outcome, Pinned};
use airlock::bundle::ReleaseStatement;
use airlock::db::site::audit;
use airlock::domain::{Audience, Class, Clock as _, Error, FixedClock, Hash, Result, Step, Timestamp};
use serde_json::Value;

use crate::support::agents::{Serving, basic, credentials, text};
use crate::support::appliance::{AIRLOCK, Ended, import_command, import_here_telling, write};
use crate::support::bundles::{Made, REPOSITORY, Vendor};
use crate::support::desired::{Desired, target_id};
use crate::support::in_process::InProcessAppliance;
use crate::support::state_fingerprint::StateFingerprint;
use crate::support::tls;

mod wrong_clocks;

const OLD: &str = "1970-01-01T00:00:01Z";
const HALF_A_YEAR_AHEAD: &str = "2027-05-21T10:00:00Z";
const FAR: &str = "9998-01-01T00:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Imports at a clock, perhaps with a date that a person confirms; returns the notes too.
fn import_at(
    instance: &InProcessAppliance,
    made: &Made,
    clock: Timestamp,
    date: Option<&str>,
) -> (Result<Outcome>, Vec<String>) {
    let options = Options {
        confirmed_date: date.map(time),
        ..Options::default()
    };
    import_with(instance, made, clock, &options)
}

fn import_with(
    instance: &InProcessAppliance,
    made: &Made,
    clock: Timestamp,
    options: &Options,
) -> (Result<Outcome>, Vec<String>) {
    let bundle = tempfile::NamedTempFile::new().unwrap();
    write(bundle.path(), &made.bytes);
    let mut notes = Vec::new();
    let (appliance, clock) = (instance.appliance(), FixedClock(clock));
    let imported = import_here_telling(&appliance, bundle.path(), options, &clock, &mut |event| {
        if let Event::Note(note) = event {
            notes.push(note);
        }
    });
    (imported.map(|imported| imported.result), notes)
}

fn verdict(result: &Result<Outcome>) -> String {
    match result {
        Ok(Outcome::Published { .. }) => "imported".into(),
        Ok(other) => format!("{other:?}"),
        Err(error) => refusal(error),
    }
}

fn refusal(error: &Error) -> String {
    let step = error.step().map_or_else(String::new, |step: Step| step.to_string());
    format!("{} {} {step}", error.class(), error.code())
}

fn dated(issued_at: &str, expires: &str) -> impl FnOnce(&mut ReleaseStatement) {
    let (issued_at, expires) = (time(issued_at), time(expires));
    move |release| (release.issued_at, release.expires) = (issued_at, expires)
}

fn pin(instance: &InProcessAppliance, vendor: &Vendor) {
    let appliance = instance.appliance();
    let pinned = appliance.pin(vendor.chain(), instance.clock.now()).unwrap();
    assert_eq!(pinned, Pinned::Added);
}

fn floor(instance: &InProcessAppliance, domain: Hash) -> Timestamp {
    instance.appliance().floor(domain).unwrap()
}

/// Everything that agents, engines and people of A see, and the time that is proven for A.
#[derive(Debug, PartialEq)]
struct Seen {
    floor: Timestamp,
    resources: (u16, Vec<u8>),
    login: u16,
    pull: (u16, Vec<u8>),
    certificate: Vec<u8>,
    certificate_health: Value,
    /// Expired by what A has signed, whatever date somebody gives.
    expired: String,
}

struct Stand {
    serving: Serving,
    secret: String,
    token: String,
    expired: Made,
    released: u64,
}

impl Stand {
    /// A's appliance with a server and an agent; A has proven that it is 2026-11-20, and an old bundle of A expired before that.
    fn new() -> Self {
        let instance = InProcessAppliance::new();
        instance.release(1, 2, "a");
        let newest = dated("2026-11-20T00:00:00Z", "2090-01-01T00:00:00Z");
        instance
            .import(&instance.vendor.bundle_as("erp", 1, newest), false)
            .unwrap();
        let old = dated("2026-11-10T00:00:00Z", "2026-11-15T00:00:00Z");
        let expired = instance.vendor.bundle_as("erp", 2, old);
        let serving = Serving::start(instance, credentials());
        let secret = serving.secret("edge-0");
        let reply = serving.login(&target_id("edge-0"), &secret);
        let token = reply.json()["token"].as_str().unwrap().to_owned();
        Self {
            serving,
            secret,
            token,
            expired,
            released: 1,
        }
    }

    fn instance(&self) -> &InProcessAppliance {
        &self.serving.instance
    }

    fn seen(&self) -> Seen {
        let serving = &self.serving;
        let resources = serving.agent(&self.token, "GET", "resources", "");
        let header = basic("-", &self.token);
        let path = format!("/v2/{REPOSITORY}/manifests/latest");
        let pull = serving.send("GET", &path, &[("Authorization", &header)], b"");
        let authority = serving.authority.as_ref().unwrap();
        let address = serving.running.tls_addresses()[0];
        let config = tls::trusting(authority.certificate_pem());
        let ready = tls::get(&config, address, "/readyz", "").json();
        let (expired, _) = import_at(
            self.instance(),
            &self.expired,
            self.instance().clock.now(),
            Some("2026-11-12T00:00:00Z"),
        );
        Seen {
            floor: floor(self.instance(), self.instance().vendor.chain().domain()),
            resources: (resources.status, resources.body),
            login: serving.login(&target_id("edge-0"), &self.secret).status,
            pull: (pull.status, pull.body),
            certificate: tls::shown(&config, address, "localhost").unwrap(),
            certificate_health: ready["checks"]["certificate"].clone(),
            expired: verdict(&expired),
        }
    }

    /// A's next release comes in, and agents get it.
    fn next_release(&mut self) {
        self.released += 1;
        let made = self.instance().vendor.with_targets(self.released, |image| {
            Desired::docker(image, 2, &format!("a{}", self.released))
        });
        let (result, _) = import_at(self.instance(), &made, self.instance().clock.now(), None);
        assert_eq!(verdict(&result), "imported");
        self.serving.hub.refresh().unwrap();
        let reply = self.serving.agent(&self.token, "GET", "resources", "");
        assert_eq!(reply.status, 200, "{}", text(&reply));
    }
}

/// K22: B dates a root link, a `time_reset` or a release 1970, half a year ahead or 9998, in a bundle that is accepted, refused, or for
/// another site; or in the chain that is pinned. `AIRLOCK_SLOW=1` tries them with each other, else every other one, among which any two of
/// these words still meet.
#[test]
fn k22_no_date_of_another_vendor_moves_anything() {
    let mut stand = Stand::new();
    let mut seen = stand.seen();
    assert_eq!(seen.floor, time("2026-11-20T00:00:00Z"));
    assert_eq!(seen.expired, "E-EXPIRED bundle X8");
    assert_eq!((seen.resources.0, seen.login, seen.pull.0), (200, 200, 200));
    assert_eq!(seen.certificate_health, "ok");
    let clock = stand.instance().clock.now();
    // A hub that nobody but this test has look for changes.
    let beside = stand.instance().hub();
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    let (mut turn, mut tried) = (0, 0);
    for date in [OLD, HALF_A_YEAR_AHEAD, FAR] {
        turn += 1;
        for reset in [false, true] {
            turn += 1;
            for audience in [Audience::ANY, Audience::Sites(Vec::new())] {
                turn += 1;
                for carrier in ["bundle", "pin"] {
                    turn += 1;
                    if !slow && turn % 2 == 0 {
                        continue;
                    }
                    let says = format!("a link of {date}, reset {reset}, for {audience:?}, in a {carrier}");
                    let mut b = Vendor::new();
                    if carrier == "bundle" {
                        pin(stand.instance(), &b);
                    }
                    b.rotate(|root| {
                        (root.issued_at, root.expires, root.time_reset) =
                            (time(date), time("9999-12-31T00:00:00Z"), reset);
                    });
                    if carrier == "pin" {
                        pin(stand.instance(), &b);
                    }
                    let made = b.bundle_as("erp", 1, |release| release.audience = audience.clone());
                    let (result, _) = import_at(stand.instance(), &made, clock, None);
                    let expected = if audience == Audience::ANY {
                        "imported"
                    } else {
                        "E-AUDIENCE site X6"
                    };
                    assert_eq!(verdict(&result), expected, "{says}");
                    assert_eq!(
                        stand
                            .instance()
                            .appliance()
                            .chain(b.chain().domain())
                            .unwrap()
                            .newest()
                            .version,
                        2
                    );
                    // The link proves no more than the clock, and what is older than this program proves nothing.
                    let proven = time(date).min(clock).max(time("2026-11-01T00:00:00Z"));
                    assert_eq!(floor(stand.instance(), b.chain().domain()), proven, "{says}");
                    // Whoever is refused gives a running server nothing to load.
                    assert_eq!(beside.refresh().unwrap(), expected == "imported", "{says}");
                    assert_eq!(stand.seen(), seen, "{says}");
                    tried += 1;
                }
            }
        }
        for confirmed in [None, Some(FAR)] {
            let says = format!("a release of {date}, confirmed {confirmed:?}");
            let mut b = Vendor::new();
            b.rotate(|root| root.expires = time("9999-12-31T00:00:00Z"));
            pin(stand.instance(), &b);
            let made = b.bundle_as("erp", 1, dated(date, "9999-12-31T00:00:00Z"));
            let (result, _) = import_at(stand.instance(), &made, clock, confirmed);
            let refused = date != OLD && confirmed.is_none();
            let expected = if refused { "E-CLOCK issued-ahead X8" } else { "imported" };
            assert_eq!(verdict(&result), expected, "{says}");
            let proven = if refused { time(OLD) } else { time(date) };
            let proven = proven.max(time("2026-11-01T00:00:00Z"));
            assert_eq!(floor(stand.instance(), b.chain().domain()), proven, "{says}");
            assert_eq!(beside.refresh().unwrap(), !refused, "{says}");
            assert_eq!(stand.seen(), seen, "{says}");
            tried += 1;
        }
        stand.next_release();
        beside.refresh().unwrap();
        seen = stand.seen();
    }
    assert_eq!(tried, if slow { 30 } else { 18 });
    println!("{tried} hostile vendors, 0 differences");
    // The twin: A's own statement proves something about A.
    let later = dated("2026-11-21T00:00:00Z", "2090-01-01T00:00:00Z");
    let made = stand.instance().vendor.bundle_as("erp", 3, later);
    let (result, _) = import_at(stand.instance(), &made, clock, None);
    assert_eq!(verdict(&result), "imported");
    assert_eq!(stand.seen().floor, time("2026-11-21T00:00:00Z"));
}

/// A `time_reset` is for the vendor who signs it: the same bundle of A stays expired after B's, and comes in after A's own.
#[test]
fn k22_a_time_reset_is_for_its_own_domain() {
    let mut instance = InProcessAppliance::new();
    let mut b = Vendor::new();
    pin(&instance, &b);
    let clock = instance.clock.now();
    let newest = dated("2026-11-20T00:00:00Z", "2090-01-01T00:00:00Z");
    instance
        .import(&instance.vendor.bundle_as("erp", 1, newest), false)
        .unwrap();
    let old = |sequence, vendor: &Vendor| {
        vendor.bundle_as("erp", sequence, dated("2026-11-10T00:00:00Z", "2026-11-15T00:00:00Z"))
    };
    // A clock by which it has not expired: the floor alone says so.
    let then = time("2026-11-12T00:00:00Z");
    assert_eq!(
        verdict(&import_at(&instance, &old(2, &instance.vendor), then, None).0),
        "E-EXPIRED bundle X8"
    );
    let reset = |vendor: &mut Vendor| {
        vendor.rotate(|root| (root.issued_at, root.time_reset) = (time("2026-11-05T00:00:00Z"), true));
        vendor.bundle_as("erp", 9, |release| release.audience = Audience::Sites(Vec::new()))
    };
    let made = reset(&mut b);
    assert_eq!(
        verdict(&import_at(&instance, &made, clock, None).0),
        "E-AUDIENCE site X6"
    );
    assert_eq!(floor(&instance, b.chain().domain()), time("2026-11-05T00:00:00Z"));
    assert_eq!(
        verdict(&import_at(&instance, &old(2, &instance.vendor), then, None).0),
        "E-EXPIRED bundle X8"
    );
    let made = reset(&mut instance.vendor);
    // A dry run keeps no link and moves no time.
    let dry = Options {
        dry_run: true,
        ..Options::default()
    };
    assert_eq!(
        verdict(&import_with(&instance, &made, clock, &dry).0),
        "E-AUDIENCE site X6"
    );
    assert_eq!(
        floor(&instance, instance.vendor.chain().domain()),
        time("2026-11-20T00:00:00Z")
    );
    assert_eq!(
        verdict(&import_at(&instance, &made, clock, None).0),
        "E-AUDIENCE site X6"
    );
    assert_eq!(
        floor(&instance, instance.vendor.chain().domain()),
        time("2026-11-05T00:00:00Z")
    );
    assert_eq!(
        verdict(&import_at(&instance, &old(2, &instance.vendor), then, None).0),
        "imported"
    );
}

/// K20: a date ahead of the clock waits for a person, changes nothing meanwhile, and locks nobody out.
#[test]
fn k20_a_release_from_the_future_waits_for_a_person() {
    let mut instance = InProcessAppliance::new();
    instance
        .vendor
        .rotate(|root| root.expires = time("9999-12-31T23:59:59Z"));
    let clock = time("2026-12-01T12:00:00Z");
    let domain = instance.vendor.chain().domain();
    let first = instance.vendor.bundle_as("erp", 1, |_| ());
    assert_eq!(verdict(&import_at(&instance, &first, clock, None).0), "imported");
    let ahead = "E-CLOCK issued-ahead X8";
    for (issued_at, expected) in [
        ("2026-12-03T12:00:01Z", ahead),
        ("2026-12-03T13:00:00Z", ahead),
        ("9999-01-01T00:00:00Z", ahead),
        ("9999-12-31T23:59:58Z", ahead),
    ] {
        let made = instance
            .vendor
            .bundle_as("erp", 2, dated(issued_at, "9999-12-31T23:59:59Z"));
        let before = StateFingerprint::of(&instance.state());
        let result = import_at(&instance, &made, clock, None).0;
        assert_eq!(verdict(&result), expected, "{issued_at}");
        let error = result.unwrap_err().to_string();
        assert!(error.contains(&format!("--date {issued_at}")), "{error}");
        assert!(error.contains("2026-12-03T12:00:00Z"), "{error}");
        assert_eq!(
            StateFingerprint::of(&instance.state()).differs_from(&before, false, false),
            None,
            "{issued_at}"
        );
        // A date before that of the release confirms nothing.
        assert_eq!(
            verdict(&import_at(&instance, &made, clock, Some("2026-12-03T12:00:00Z")).0),
            ahead
        );
    }
    // The right release, as far ahead as clocks of two places may differ; and one that a person confirms.
    let made = instance
        .vendor
        .bundle_as("erp", 2, dated("2026-12-03T12:00:00Z", "2090-01-01T00:00:00Z"));
    assert_eq!(verdict(&import_at(&instance, &made, clock, None).0), "imported");
    assert_eq!(floor(&instance, domain), time("2026-12-03T12:00:00Z"));
    let made = instance
        .vendor
        .bundle_as("erp", 3, dated("2027-12-01T00:00:00Z", "2090-01-01T00:00:00Z"));
    assert_eq!(
        verdict(&import_at(&instance, &made, time("2027-01-01T00:00:00Z"), None).0),
        ahead
    );
    let confirmed = Some("2027-12-01T00:00:00Z");
    assert_eq!(
        verdict(&import_at(&instance, &made, time("2027-01-01T00:00:00Z"), confirmed).0),
        "imported"
    );
    assert_eq!(floor(&instance, domain), time("2027-12-01T00:00:00Z"));
    // The same bundle once more needs nobody.
    let again = import_at(&instance, &made, time("2027-01-01T00:00:00Z"), None).0;
    assert!(verdict(&again).starts_with("Already("));
}

#[test]
fn k20_a_date_after_the_root_is_confirmed_by_nobody() {
    let instance = InProcessAppliance::new();
    let clock = instance.clock.now();
    let made = instance.vendor.bundle_as("erp", 1, dated(FAR, "9999-12-31T00:00:00Z"));
    let before = StateFingerprint::of(&instance.state());
    for date in [None, Some(FAR)] {
        let result = import_at(&instance, &made, clock, date).0;
        assert_eq!(verdict(&result), "E-CLOCK issued-after-root X8", "{date:?}");
    }
    let right = instance.vendor.bundle_as("erp", 1, |_| ());
    assert!(
        StateFingerprint::of(&instance.state())
            .differs_from(&before, false, false)
            .is_some_and(|said| said.contains("2 audit rows"))
    );
    assert_eq!(verdict(&import_at(&instance, &right, clock, None).0), "imported");
}

/// K13: a root that has expired admits nothing new, another vendor's admits on, and a newer root is the way out.
#[test]
fn k13_an_expired_root_is_its_own_vendors_matter() {
    let mut instance = InProcessAppliance::new();
    let b = Vendor::new();
    pin(&instance, &b);
    instance
        .vendor
        .rotate(|root| root.expires = time("2027-01-01T00:00:00Z"));
    let clock = time("2027-02-01T00:00:00Z");
    let made = instance.vendor.bundle_as("erp", 1, |_| ());
    assert_eq!(
        verdict(&import_at(&instance, &made, clock, None).0),
        "E-EXPIRED root X8"
    );
    let before = StateFingerprint::of(&instance.state());
    assert_eq!(
        verdict(&import_at(&instance, &made, clock, None).0),
        "E-EXPIRED root X8"
    );
    assert_eq!(
        StateFingerprint::of(&instance.state()).differs_from(&before, false, false),
        None
    );
    assert_eq!(
        verdict(&import_at(&instance, &b.bundle_as("crm", 1, |_| ()), clock, None).0),
        "imported"
    );
    instance
        .vendor
        .rotate(|root| root.expires = time("2030-01-01T00:00:00Z"));
    let made = instance.vendor.bundle_as("erp", 1, |_| ());
    assert_eq!(verdict(&import_at(&instance, &made, clock, None).0), "imported");
}

/// K18: a floor that is gone is damage, never the lowest floor; the other vendor imports on.
#[test]
fn k18_a_floor_that_is_gone_is_damage() {
    let instance = InProcessAppliance::new();
    let b = Vendor::new();
    pin(&instance, &b);
    let domain = instance.vendor.chain().domain();
    let forget = |transaction: &rusqlite::Transaction<'_>| {
        transaction
            .execute("DELETE FROM time_floor WHERE domain = ?", [domain])
            .unwrap();
        Ok(())
    };
    instance.appliance().db.write(forget).unwrap();
    let clock = instance.clock.now();
    let made = instance.vendor.bundle_as("erp", 1, |_| ());
    assert_eq!(
        verdict(&import_at(&instance, &made, clock, None).0),
        "E-STATE floor-missing X3"
    );
    assert_eq!(
        verdict(&import_at(&instance, &b.bundle_as("crm", 1, |_| ()), clock, None).0),
        "imported"
    );
}

/// What people see: `trust show` says the floor of every vendor, and a refusal the date to give.
#[test]
fn people_are_shown_each_vendors_floor_and_the_date_to_give() {
    let instance = InProcessAppliance::new();
    let mut b = Vendor::new();
    pin(&instance, &b);
    let newest = dated("2026-11-20T00:00:00Z", "2090-01-01T00:00:00Z");
    instance
        .import(&instance.vendor.bundle_as("erp", 1, newest), false)
        .unwrap();
    b.rotate(|root| root.expires = time("9999-12-31T00:00:00Z"));
    let made = b.bundle_as("erp", 1, dated(FAR, "9999-12-31T00:00:00Z"));
    let bundle = tempfile::NamedTempFile::new().unwrap();
    write(bundle.path(), &made.bytes);
    let ended = Ended::of(&import_command(&instance.state(), bundle.path()).output().unwrap());
    assert_eq!(ended.code, Some(i32::from(Class::Clock.exit_code())));
    ended.assert_refused("E-CLOCK", "issued-ahead", "X8");
    assert!(ended.stderr.contains(&format!("--date {FAR}")), "{}", ended.stderr);
    let mut command = import_command(&instance.state(), bundle.path());
    Ended::of(&command.args(["--date", FAR]).output().unwrap()).assert_imported();
    let detail = instance
        .appliance()
        .db
        .read(|connection| audit::newest_detail(connection, "import"))
        .unwrap();
    let detail: Value = serde_json::from_str(&detail.unwrap()).unwrap();
    assert_eq!(detail["confirmed_date"], FAR);
    assert_eq!(detail["operator"]["uid"], rustix::process::getuid().as_raw());
    let mut command = std::process::Command::new(AIRLOCK);
    command
        .args(["--format", "json", "trust", "show", "--state"])
        .arg(instance.state());
    let output = command.output().unwrap();
    let shown: Value = serde_json::from_str(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    let floor_of = |vendor: &Vendor| {
        let domain = vendor.chain().domain().to_hex();
        let roots = shown["roots"].as_array().unwrap();
        let root = roots.iter().find(|root| root["domain"] == domain.as_str()).unwrap();
        root["time_floor"].as_str().unwrap().to_owned()
    };
    assert_eq!(floor_of(&instance.vendor), "2026-11-20T00:00:00Z");
    assert_eq!(floor_of(&b), FAR);
}
