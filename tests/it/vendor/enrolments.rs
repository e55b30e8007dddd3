//! Enrolments that would let one site open what is for another, or speak for the vendor, and `init` over what is named twice.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::fs;
use std::time::{Duration, Instant};

use airlock::crypto::{Chain, Enrolment, RecipientKey, SigningKey};
use airlock::domain::Timestamp;

use super::cli::CommandFolder;

/// Writes the enrolment file of a site with this status key and recipient key.
fn file(folder: &CommandFolder, name: &str, site: u8, status: &SigningKey, recipient: RecipientKey) {
    let domain = Chain::parse(&fs::read(folder.path("w/root.json")).unwrap())
        .unwrap()
        .domain();
    let site = format!("{site:032x}").parse().unwrap();
    fs::write(
        folder.path(name),
        Enrolment::sign(site, domain, recipient, Timestamp::EPOCH, status),
    )
    .unwrap();
}

fn key(secret: u8) -> SigningKey {
    SigningKey::from_secret(&[secret; 32])
}

fn recipient(secret: u8) -> RecipientKey {
    RecipientKey::of_secret(&[secret; 32])
}

#[test]
fn keys_that_somebody_else_has_are_not_enrolled() {
    let folder = CommandFolder::new();
    file(&folder, "one.json", 1, &key(1), recipient(11));
    folder.good(&["vendor", "enroll", "--yes", "one.json", "-w", "w"]);
    let ledger = || fs::read(folder.path("w/ledger.db")).unwrap();
    let before = ledger();
    let own = fs::read_dir(folder.path("w/keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let own = own
        .into_iter()
        .find(|path| path.to_string_lossy().contains("release") && path.extension().is_some_and(|end| end == "pem"))
        .unwrap();
    let own = airlock::crypto::KeyFile::read(&own).unwrap().signing_key(None).unwrap();
    for (name, status, to, code) in [
        ("recipient of another site", key(2), recipient(11), "shared-key"),
        ("status key of another site", key(1), recipient(12), "shared-key"),
        ("the vendor's own key", own, recipient(12), "shared-key"),
        (
            "a key that hides nothing",
            key(2),
            RecipientKey::x25519([0; 32]),
            "weak-key",
        ),
        (
            "the status key again",
            key(2),
            RecipientKey::x25519(key(2).public().to_bytes()),
            "weak-key",
        ),
    ] {
        file(&folder, "two.json", 2, &status, to);
        let (class, found, event) = folder.refused(&["vendor", "enroll", "--yes", "two.json", "-w", "w"]);
        assert_eq!((class.as_str(), found.as_str()), ("E-TRUST", code), "{name}: {event}");
        assert!(ledger() == before, "{name}");
    }
    // A key that a site had before is its own for good.
    file(&folder, "one.json", 1, &key(3), recipient(13));
    folder.good(&[
        "vendor",
        "enroll",
        "--yes",
        "one.json",
        "--replace",
        &format!("{:032x}", 1),
        "-w",
        "w",
    ]);
    file(&folder, "two.json", 2, &key(1), recipient(12));
    assert_eq!(
        folder.refused(&["vendor", "enroll", "--yes", "two.json", "-w", "w"]).1,
        "shared-key"
    );
    // The file of the site's own appliance is taken.
    file(&folder, "two.json", 2, &key(2), recipient(12));
    assert_eq!(
        folder.good(&["vendor", "enroll", "--yes", "two.json", "-w", "w"])["result"],
        "enrolled"
    );
    file(&folder, "two.json", 2, &key(4), recipient(13));
    let replaced = folder.refused(&[
        "vendor",
        "enroll",
        "--yes",
        "two.json",
        "--replace",
        &format!("{:032x}", 2),
        "-w",
        "w",
    ]);
    assert_eq!(replaced.1, "shared-key");
}

#[cfg(feature = "site")]
#[test]
fn one_vendor_and_one_file_are_named_once() {
    let folder = CommandFolder::new();
    fs::copy(folder.path("w/root.json"), folder.path("again.json")).unwrap();
    let init = ["init", "--site", "plant", "--state", "state", "--trust", "w/root.json"];
    let (class, code, _) = folder.refused(&[&init[..], &["--trust", "again.json"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "same-vendor"));
    assert!(!folder.path("state").exists(), "nothing was made");
    let other = [
        "vendor",
        "init",
        "--product",
        "other",
        "--vendor",
        "Other",
        "v",
        "--expires",
        "2100-01-01T00:00:00Z",
    ];
    folder.good(&other);
    let two = [
        &init[..],
        &["--trust", "v/root.json", "--enrolment", "e.json", "--enrolment"],
    ]
    .concat();
    let (class, code, _) = folder.refused(&[&two[..], &["./e.json"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "enrolments"));
    assert!(
        !folder.path("state").exists() && !folder.path("e.json").exists(),
        "nothing was made"
    );
    folder.good(&[&two[..], &["f.json"]].concat());
    let domain = |name: &str| {
        Enrolment::parse(&fs::read(folder.path(name)).unwrap())
            .unwrap()
            .domain()
    };
    assert_ne!(domain("e.json"), domain("f.json"));
}

#[cfg(feature = "site")]
#[test]
fn a_certificate_that_is_a_pipe_is_refused_at_once() {
    let folder = CommandFolder::new();
    folder.good(&["init", "--site", "plant", "--state", "state", "--trust", "w/root.json"]);
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path("pipe"), rustix::fs::Mode::RWXU).unwrap();
    std::os::unix::fs::symlink("pipe", folder.path("link")).unwrap();
    for name in ["pipe", "link"] {
        let text = format!(
            "listen = []\n[tls]\nlisten = [\"127.0.0.1:0\"]\nnames = [\"localhost\"]\ncertificate = \"{}\"\nkey = \"k.pem\"\n",
            folder.path(name).display()
        );
        fs::write(folder.path("airlock.toml"), text).unwrap();
        let start = Instant::now();
        let (class, code, event) = folder.refused(&["serve", "--state", "state", "--config", "airlock.toml"]);
        assert_eq!(
            (class.as_str(), code.as_str()),
            ("E-USAGE", "tls-certificate"),
            "{event}"
        );
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}
