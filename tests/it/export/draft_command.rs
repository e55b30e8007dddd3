//! `airlock status preview` as people and machines give it.

use std::fs::File;
use std::process::Command;

use airlock::appliance::export::State;
use airlock::db::site::{audit, packages};
use airlock::db::{Db, Schema};
use airlock::http::Settings;
use serde_json::{Value, json};

use super::world::{WELL, damaged, outbox};
use crate::support::agents::Serving;
use crate::support::appliance::{AIRLOCK, Appliance, Ended, beside_the_operator, read, write};
use crate::support::bundles::Vendor;
use crate::support::desired::{Desired, revision_id};
use crate::support::in_process::InProcessAppliance;

/// An appliance with a release, and a configuration of its own.
struct Place {
    appliance: Appliance,
    files: tempfile::TempDir,
    vendor: Vendor,
}

impl Place {
    fn new() -> Self {
        let vendor = Vendor::new();
        let place = Self {
            appliance: Appliance::init(&vendor),
            files: crate::support::appliance::scratch(),
            vendor,
        };
        let made = place.vendor.with_targets(1, |image| Desired::docker(image, 1, "a"));
        write(&place.files.path().join("bundle"), &made.bytes);
        place
            .appliance
            .import(&place.files.path().join("bundle"))
            .assert_imported();
        place.configure("");
        place
    }

    fn configure(&self, text: &str) {
        write(&self.files.path().join("airlock.toml"), text.as_bytes());
    }

    fn command(&self, format: &str, words: &[&str]) -> Command {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", format, "status", "preview"]).args(words);
        command.arg("--state").arg(self.appliance.path());
        command.arg("--config").arg(self.files.path().join("airlock.toml"));
        command
    }

    fn preview(&self, words: &[&str]) -> Ended {
        Ended::of(&self.command("json", words).output().unwrap())
    }

    #[track_caller]
    fn good(&self, words: &[&str]) -> Value {
        let ended = self.preview(words);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.result
    }

    /// Asserts how it was refused, and that nothing changed; returns the remedy.
    #[track_caller]
    fn refused(&self, words: &[&str], class: &str, code: &str) -> String {
        let before = self.world();
        let ended = self.preview(words);
        let found = ended
            .refusal
            .as_ref()
            .map(|(class, code, _)| (class.as_str(), code.as_str()));
        assert_eq!(found, Some((class, code)), "{}", ended.stderr);
        // It changed nothing but for its row of the log; what was mistyped has none.
        let (packages, rows, outbox) = before;
        assert_eq!(self.world(), (packages, rows + u64::from(class != "E-USAGE"), outbox));
        let events = ended
            .stderr
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut remedies = events.filter_map(|event| event["remedy"].as_str().map(ToOwned::to_owned));
        remedies.next().unwrap()
    }

    fn db(&self) -> Db {
        Db::open(&self.appliance.path().join("airlock.db"), &Schema::SITE).unwrap()
    }

    /// Packages, rows of the log, and what lies in the outbox.
    fn world(&self) -> (Vec<packages::PackageRow>, u64, Vec<String>) {
        let domain = self.vendor.chain().domain();
        let db = self.db();
        let packages = db.read(|c| packages::list(c, domain)).unwrap();
        (
            packages,
            db.read(audit::verify).unwrap(),
            outbox(&self.appliance.path()),
        )
    }
}

#[test]
fn a_preview_is_a_draft_that_stays_until_another_takes_its_place() {
    let place = Place::new();
    let first = place.good(&[]);
    assert_eq!(
        (&first["number"], &first["earlier"], &first["shows"]),
        (&json!(1), &json!(false), &json!([]))
    );
    assert_eq!(first["line_counts"]["release"], 1);
    assert_eq!(first["approvals"], json!({"needed": 0, "there": []}));
    let (packages, rows, files) = place.world();
    assert_eq!((packages.len(), packages[0].state), (1, State::Draft));
    assert_eq!(packages[0].head.to_hex(), first["head"].as_str().unwrap());
    assert_eq!(files, [format!("{}.airlock-status", packages[0].head)]);
    let sealed = place.db().read(|c| audit::list(c, rows - 1, 9)).unwrap().pop().unwrap();
    assert_eq!(sealed.action, "status-seal");
    let domain = place.vendor.chain().domain();
    let detail = json!({"domain": domain, "head": packages[0].head, "number": 1, "shows": []});
    assert_eq!(beside_the_operator(&sealed.detail), detail);

    // The same question shows the same bytes, and says that they are not new.
    let again = place.good(&[]);
    assert_eq!((&again["head"], &again["earlier"]), (&first["head"], &json!(true)));
    assert_eq!(place.world(), (packages, rows, files));
    let other = place.good(&["--discard"]);
    assert_eq!((&other["number"], &other["earlier"]), (&json!(1), &json!(false)));
    let (packages, after, files) = place.world();
    assert_eq!((packages.len(), after), (1, rows + 1));
    assert_eq!(files, [format!("{}.airlock-status", other["head"].as_str().unwrap())]);
}

#[test]
fn every_line_can_be_looked_at() {
    let place = Place::new();
    let shown = place.good(&["--lines"]);
    let lines = shown["lines"].as_array().unwrap();
    let counted: u64 = shown["line_counts"]
        .as_object()
        .unwrap()
        .values()
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(lines.len() as u64, counted);
    assert!(lines.iter().any(|line| line["kind"] == "release") && lines.iter().any(|line| line["action"] == "init"));
    let output = place.command("human", &["--lines"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "package 1 for ",
        "  shows   releases 1, receipts 1–2, audit rows 1–3, targets 1, deployments 1\n",
        "  hides   0 statuses that changed nothing, and the text of every status, 0 samples of metrics, 0 lines of containers, 0 lines of agents\n",
        "what would add some: agent-logs agents local-names logs metrics status-text\n",
        "  covers  records none = 0 shown + 0 withheld + 0 in gaps, nothing unexplained\n",
        "needs no approval: `airlock status export DEST --digest ",
        "\nreleases\n{\"blobs\":",
        "\n  says {\"at\":",
        "\naudit\n{\"action\":\"init\"",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn the_command_line_only_takes_away() {
    let place = Place::new();
    place.configure("[export]\nprofile = \"standard\"\nshow = [\"status-text\"]\napprovals = 2\nmax_size_mib = 2\n");
    let full = place.good(&[]);
    assert_eq!(full["shows"], json!(["agents", "metrics", "status-text"]));
    assert_eq!(full["hides"], json!(["agent-logs", "local-names", "logs"]));
    assert_eq!(full["approvals"]["needed"], 2);
    let remedy = place.refused(&["--profile", "full"], "E-USAGE", "profile");
    assert!(remedy.starts_with("leave --profile out"), "{remedy}");
    for size in ["0", "3", "18446744073709551615"] {
        let remedy = place.refused(&["--max-size", size], "E-USAGE", "max-size");
        assert!(remedy.starts_with("name a smaller size"), "{remedy}");
    }
    // The draft that is there shows more: it is not shown for what was asked, and nothing is lost without a word.
    let remedy = place.refused(&["--without", "status-text", "--max-size", "1"], "E-BUSY", "draft");
    assert!(
        remedy.starts_with("`airlock status preview --discard --state "),
        "{remedy}"
    );
    let less = place.good(&["--without", "status-text", "--max-size", "1", "--discard"]);
    assert_eq!(less["shows"], json!(["agents", "metrics"]));
    let least = place.good(&["--profile", "minimal", "--discard"]);
    assert_eq!(least["shows"], json!([]));
}

#[test]
fn of_several_vendors_one_is_named() {
    let place = Place::new();
    let mut other = Vendor::new();
    other.rotate(|root| root.products = ["crm", "erp", "tms"].map(|word| word.parse().unwrap()).into());
    let root = place.files.path().join("root.json");
    write(&root, &other.chain_file());
    let mut add = Command::new(AIRLOCK);
    add.args(["trust", "add"])
        .arg(&root)
        .arg("--fingerprint")
        .arg(other.chain().fingerprint().to_hex());
    assert!(
        add.arg("--state")
            .arg(place.appliance.path())
            .output()
            .unwrap()
            .status
            .success()
    );
    let remedy = place.refused(&[], "E-USAGE", "vendor");
    assert!(remedy.contains("--vendor DIGITS"), "{remedy}");
    place.refused(&["--vendor", "nobody"], "E-USAGE", "vendor");
    let digits = other.chain().domain().to_hex()[..8].to_owned();
    place.refused(&["--vendor", &digits[..7]], "E-USAGE", "vendor");
    let theirs = place.good(&["--vendor", &digits]);
    assert_eq!(theirs["domain"], other.chain().domain().to_hex());
    assert_eq!(theirs["line_counts"], json!({"audit": 1}));
    // So does a product that nothing was imported of, where only one root names it.
    assert_eq!(place.good(&["--vendor", "tms"])["head"], theirs["head"]);
    place.refused(&["--vendor", "erp"], "E-USAGE", "vendor");
    // A product says whose it is, and each vendor has a draft of its own.
    for word in ["crm", "crm/stable"] {
        let ours = place.good(&["--vendor", word]);
        assert_eq!(ours["domain"], place.vendor.chain().domain().to_hex());
    }
    assert_eq!(outbox(&place.appliance.path()).len(), 2);
}

#[test]
fn one_export_at_a_time_and_the_next_one_works() {
    let place = Place::new();
    let lock = File::create(place.appliance.path().join("export.lock")).unwrap();
    lock.lock().unwrap();
    let remedy = place.refused(&[], "E-BUSY", "export");
    assert_eq!(remedy, "wait for it to end");
    drop(lock);
    place.good(&[]);
}

/// What cannot be read back is not shown; what the message says makes another one.
#[test]
fn a_draft_that_is_damaged_is_made_again_as_the_message_says() {
    let place = Place::new();
    let first = place.good(&[]);
    let path = place
        .appliance
        .path()
        .join("outbox")
        .join(format!("{}.airlock-status", first["head"].as_str().unwrap()));
    write(&path, &damaged(&read(&path)));
    let ended = place.preview(&[]);
    assert_eq!(ended.refusal.as_ref().unwrap().0, "E-INTEGRITY", "{}", ended.stderr);
    assert!(
        ended.stderr.contains(" makes another one in its place")
            && ended.stderr.contains("`airlock status preview --discard --state "),
        "{}",
        ended.stderr
    );
    place.good(&["--discard"]);
    // One whose file is gone is as good as none.
    for name in outbox(&place.appliance.path()) {
        std::fs::remove_file(place.appliance.path().join("outbox").join(name)).unwrap();
    }
    assert_eq!(place.good(&[])["earlier"], false);
    // And what nobody knows goes, but for enrolment files.
    let stray = ["x.airlock-status", ".package.new", "..airlock-status.new"];
    for name in stray {
        write(&place.appliance.path().join("outbox").join(name), b"x");
    }
    write(&place.appliance.path().join("outbox/a note"), b"x");
    place.good(&["--discard"]);
    assert_eq!(outbox(&place.appliance.path()).len(), 2);
    assert!(place.appliance.path().join("outbox/a note").is_file());
}

/// Drafts end with the instance, and an appliance that does not know which it is makes none.
#[test]
fn a_draft_ends_with_the_life_of_the_state_folder() {
    let place = Place::new();
    let first = place.good(&[]);
    let mut recover = Command::new(AIRLOCK);
    recover
        .args(["recover", "--yes", "--as", "restored", "--state"])
        .arg(place.appliance.path());
    assert!(recover.output().unwrap().status.success());
    let next = place.good(&[]);
    assert_eq!((&next["number"], &next["earlier"]), (&json!(1), &json!(false)));
    assert_ne!(next["instance"], first["instance"]);
    assert_eq!(outbox(&place.appliance.path()).len(), 1);
    std::fs::remove_file(place.appliance.path().join("identity/instance.json")).unwrap();
    place.refused(&["--discard"], "E-STATE", "instance");
}

#[test]
fn a_running_server_freezes_and_goes_on() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let serving = Serving::start(instance, Settings::default());
    let token = serving.token("edge-0");
    let say = || {
        let revision = revision_id("edge-0", "a");
        let body = format!(r#"{{"revisionId":"{revision}","type":"healthy","message":"{WELL}"}}"#);
        assert_eq!(serving.agent(&token, "POST", "status", &body).status, 200);
    };
    say();
    let preview = || {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "status", "preview", "--discard", "--state"]);
        let ended = Ended::of(&command.arg(serving.instance.state()).output().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.result
    };
    let first = preview();
    assert_eq!(
        (&first["records"]["last"], &first["records"]["shown"]),
        (&json!(1), &json!(1))
    );
    say();
    let second = preview();
    assert_eq!(second["line_counts"]["continued"], 1);
    assert_eq!((&second["number"], &second["records"]["last"]), (&json!(1), &json!(2)));
    assert_eq!(serving.status.health().trouble, None);
    drop(serving.stop());
}

/// A look at what would leave is no time to set a database aside; who makes a package does, and says so.
#[test]
fn a_preview_sets_no_damaged_database_aside() {
    let place = Place::new();
    let status = place.appliance.path().join("status.db");
    for side in ["status.db-wal", "status.db-shm"] {
        std::fs::remove_file(status.with_file_name(side)).ok();
    }
    write(&status, &[0xa5; 9000]);
    let remedy = place.refused(&[], "E-STATE", "database-damaged");
    assert!(remedy.contains("`airlock serve"), "{remedy}");
    let aside = status.with_file_name("status.db.damaged-1");
    assert!(read(&status) == [0xa5; 9000] && !aside.is_file());
    let out = place.files.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let mut command = Command::new(AIRLOCK);
    command.args(["--format", "json", "status", "export"]).arg(&out);
    command.arg("--state").arg(place.appliance.path());
    command.arg("--config").arg(place.files.path().join("airlock.toml"));
    let ended = Ended::of(&command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("status.db is set aside beside itself"),
        "{}",
        ended.stderr
    );
    assert_eq!(read(&aside), [0xa5; 9000]);
    place.good(&[]);
}
