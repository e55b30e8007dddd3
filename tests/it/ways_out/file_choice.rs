//! Whose file is meant where several vendors have one of a name.

use super::file_commands::Desk;
use super::file_world::File;
use crate::support::appliance::read;
use crate::support::site::Site;

/// The title of one vendor's file is another vendor's name.
#[test]
fn a_file_of_one_vendor_never_stands_in_for_anothers() {
    let site = Site::of_vendors(2);
    File::new("crm/stable/dir/manual.pdf", b"ours")
        .carried(site.release("crm", 1))
        .live();
    let desk = Desk::new(site);
    let said = desk.output("human", &["get", "manual.pdf", "-o", "out"]);
    let said = String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap();
    let domain = |place: usize| {
        let listed = desk.run(&["list"]).result;
        let files = listed["files"].as_array().unwrap();
        let name = ["dir/manual.pdf", "manual.pdf"][place];
        let file = files.iter().find(|file| file["name"] == name).unwrap();
        file["domain"].as_str().unwrap()[..8].to_owned()
    };
    let ours = domain(0);
    assert!(
        said.contains(&format!(", {ours})")) && read(&desk.path("out")) == b"ours",
        "{said}"
    );
    File::new("crm/stable/manual.pdf", b"theirs")
        .carried(desk.site.release_of(1, "crm", 4))
        .live();
    let theirs = domain(1);
    for more in [&[][..], &["--product", "crm"], &["--product", "crm/stable"]] {
        let refused = desk.get("manual.pdf", "out", &[more, &["--replace"]].concat());
        refused.assert_refused("E-USAGE", "several-files", "");
        for vendor in [&ours, &theirs] {
            assert!(refused.stderr.contains(&format!(", {vendor})")), "{}", refused.stderr);
        }
        assert_eq!(read(&desk.path("out")), b"ours");
    }
    // As the list writes it, and by whose it is.
    let listed = String::from_utf8(desk.output("human", &["list"]).stdout).unwrap();
    let written = |vendor: &str| {
        let end = listed.find(&format!(", {vendor})")).unwrap() + vendor.len() + 3;
        let start = listed[..end].rfind("crm/stable (").unwrap();
        listed[start..end].to_owned()
    };
    for (vendor, bytes) in [(&ours, &b"ours"[..]), (&theirs, b"theirs")] {
        for more in [["--vendor", vendor.as_str()], ["--product", &written(vendor)]] {
            let ended = desk.get("manual.pdf", "out", &[&more[..], &["--replace"]].concat());
            assert_eq!(ended.code, Some(0), "{more:?}: {}", ended.stderr);
            assert_eq!(read(&desk.path("out")), bytes, "{more:?}");
        }
    }
    // A name that two vendors have says nothing.
    for name in ["Nobody", "Test"] {
        desk.get("manual.pdf", "no", &["--vendor", name])
            .assert_refused("E-USAGE", "vendor", "");
    }
}

/// Digits say whose trust domain it is, whoever calls itself by them.
#[test]
fn what_a_vendor_calls_itself_never_stands_in_for_anothers_digits() {
    let mut site = Site::new();
    let leaflet = File {
        title: "leaflet.pdf",
        ..File::new("crm/stable/leaflet.pdf", b"ours")
    };
    leaflet.carried(site.release("crm", 1)).live();
    let digits = site.domain(0).to_hex()[..8].to_owned();
    let shadow = site.pin(&digits);
    let other = site.pin("Other");
    for (vendor, bytes) in [(shadow, &b"shadow"[..]), (other, b"other")] {
        File::new("crm/stable/manual.pdf", bytes)
            .carried(site.release_of(vendor, "crm", 1))
            .live();
    }
    let own = site.domain(shadow).to_hex()[..12].to_owned();
    let desk = Desk::new(site);
    // The vendor that is meant has no such file.
    desk.get("manual.pdf", "out", &["--vendor", &digits])
        .assert_refused("E-USAGE", "file", "");
    for (vendor, bytes) in [("Other", &b"other"[..]), (&own, b"shadow")] {
        let ended = desk.get("manual.pdf", "out", &["--vendor", vendor, "--replace"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(read(&desk.path("out")), bytes);
    }
}
