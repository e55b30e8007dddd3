//! S04, S08 and S09 where a package leaves: it is taken for nothing else, says nothing beside what was reviewed, and does not count as
//! exported where the medium does not give it back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use airlock::db::site::packages::State;
use serde_json::json;

use super::desk::Desk;
use crate::support::appliance::{AIRLOCK, Ended, import_command, read, write};
use crate::support::state_fingerprint::StateFingerprint;
use crate::support::strace;

#[test]
fn s04_no_site_imports_what_goes_home_though_its_own_key_signed_it() {
    let desk = Desk::new(0);
    desk.good("status export stick");
    let package = desk.stick().join(&desk.on_stick()[0]);
    // As it is, under the name of a bundle, and with the first line of one.
    let named = desk.path("release.airlock");
    fs::copy(&package, &named).unwrap();
    let dressed = desk.path("dressed.airlock");
    let mut bytes = read(&package);
    bytes[512..527].copy_from_slice(b"airlock-bundle ");
    write(&dressed, &bytes);
    let before = StateFingerprint::of(&desk.state());
    for (row, file, told) in [
        (1, &package, ("E-FORMAT", "wrong-type")),
        (2, &named, ("E-FORMAT", "wrong-type")),
        (3, &dressed, ("E-TRUST", "grammar")),
    ] {
        let ended = Ended::of(&import_command(&desk.state(), file).output().unwrap());
        let (class, found, step) = ended.refusal.unwrap();
        assert_eq!(
            (class.as_str(), found.as_str()),
            told,
            "{file:?}: {step} {}",
            ended.stderr
        );
        assert!(
            StateFingerprint::of(&desk.state()).is_but_for_rows(&before, row, 0),
            "{file:?}"
        );
    }
    // The bundle's own door does not take it either, and what belongs there is taken.
    let mut verify = Command::new(AIRLOCK);
    verify.args(["--format", "json", "bundle", "verify"]).arg(&package);
    let ended = Ended::of(&verify.output().unwrap());
    assert_ne!(ended.code, Some(0));
    assert_eq!(desk.judged(&package, "")["result"], "good");
}

/// Beside its bytes, which are a function of what was reviewed, a package has a name and a size: the name is site, vendor, life and
/// number, the size is rounded, and nothing else is left on the medium.
#[test]
fn s08_a_package_has_no_room_for_anything_but_what_was_reviewed() {
    let desk = Desk::new(0);
    // What stood there before stays as it is.
    write(&desk.stick().join("before.txt"), b"of others");
    let head = desk.draft();
    let exported = desk.good(&format!("status export stick --digest {head}"));
    let names = desk.on_stick();
    let (package, rest): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.ends_with(".airlock-status"));
    assert_eq!(rest, ["before.txt"]);
    assert_eq!(read(&desk.stick().join("before.txt")), b"of others");
    let verdict = desk.judged(&desk.stick().join(package[0]), "");
    let digits = |member: &str| verdict[member].as_str().unwrap()[..8].to_owned();
    assert_eq!(
        *package[0],
        format!(
            "{}-{}-{}-1.airlock-status",
            digits("site"),
            digits("domain"),
            digits("instance")
        )
    );
    let metadata = fs::metadata(desk.stick().join(package[0])).unwrap();
    assert_eq!(metadata.len() % (16 << 10), 0);
    assert_eq!(metadata.permissions().mode() & 0o7000, 0);
    // Times, owners and modes within the file are constants of the format, which its reader insists on; around it there are no attributes.
    let mut list = [0_u8; 256];
    let count = rustix::fs::listxattr(desk.stick().join(package[0]), &mut list).unwrap();
    assert!(!String::from_utf8_lossy(&list[..count]).contains("user."));
    // Again, elsewhere, later: the same bytes, whatever happened here meanwhile.
    desk.good("status preview");
    desk.good("status export ./again.status --again 1");
    assert_eq!(read(&desk.path("again.status")), read(&desk.stick().join(package[0])));
    assert_eq!(exported["packages"][0]["number"], 1);
}

/// A stick that takes everything and gives back something else, or nothing: nothing is called exported, nothing is left there.
#[test]
fn s09_a_medium_that_does_not_give_back_what_it_took_has_no_package() {
    if !strace::available() {
        return;
    }
    let desk = Desk::new(0);
    let head = desk.draft();
    let mut faulty = Command::new("strace");
    faulty
        .args(["-f", "-o", "/dev/null", "-e", "trace=read,pread64", "-P"])
        .arg(desk.stick().join("one.status.partial"))
        .args(["-e", "inject=read,pread64:retval=0", AIRLOCK])
        .args(desk.arguments(&format!("status export ./stick/one.status --digest {head}")));
    let ended = Ended::of(&faulty.output().unwrap());
    let (class, code, _) = ended.refusal.unwrap();
    assert_eq!(
        (class.as_str(), code.as_str()),
        ("E-IO", "read-back"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("use another medium"), "{}", ended.stderr);
    assert_eq!(desk.states(), [(1, State::Signed)]);
    assert_eq!(desk.on_stick(), [""; 0]);
    // Another medium, as the message says: the same package.
    let again = desk.good("status export ./other.status");
    assert_eq!(again["packages"][0]["head"], json!(head));
    assert_eq!((desk.states(), desk.signings()), (vec![(1, State::Exported)], 1));
}
