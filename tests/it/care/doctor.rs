//! What `airlock doctor` says of an appliance that is well, and of everything that can be wrong with one; and that it changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use airlock::domain::{Clock as _, Hash, SystemClock};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::world::World;
use crate::support::appliance::{Ended, Serving, read, wait_for, write};

/// Every file and folder below a folder: kind, mode, and the hash of its bytes.
fn everything(folder: &Path) -> BTreeMap<PathBuf, (u32, Option<Hash>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let hash = metadata.is_file().then(|| Hash(Sha256::digest(read(&path)).into()));
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (metadata.mode(), hash));
        }
    }
    found
}

/// A configuration that leaves nothing to look at, and folders of units with the service as it is shipped.
fn words(world: &World) -> Vec<String> {
    let (config, units) = (world.path("airlock.toml"), world.path("units"));
    if !config.try_exists().unwrap() {
        write(&config, b"[agents]\naddress = \"airlock.plant.example:5000\"\n");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
        fs::create_dir_all(units.join("multi-user.target.wants")).unwrap();
        let shipped = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/airlock.service"));
        write(&units.join("airlock.service"), &shipped);
        std::os::unix::fs::symlink(
            "../airlock.service",
            units.join("multi-user.target.wants/airlock.service"),
        )
        .unwrap();
    }
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    vec![
        "doctor".into(),
        "--config".into(),
        text(&config),
        "--units".into(),
        text(&units),
    ]
}

/// Runs it, and sees that not a byte of the state changed.
#[track_caller]
fn doctor(world: &World) -> Ended {
    let words = words(world);
    let before = everything(&world.state());
    let ended = world.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(before == everything(&world.state()), "a look changed something");
    assert!(!ended.result.is_null(), "{}", ended.stderr);
    ended
}

/// The findings of a part.
fn of(ended: &Ended, part: &str) -> Vec<Value> {
    let findings = ended.result["findings"].as_array().unwrap();
    findings
        .iter()
        .filter(|finding| finding["part"] == part)
        .cloned()
        .collect()
}

#[track_caller]
fn assert_all_good(ended: &Ended, but_for: &[&str]) {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for finding in ended.result["findings"].as_array().unwrap() {
        let part = finding["part"].as_str().unwrap();
        // What the tests stand on is no disk.
        if !["media", "disk"].contains(&part) && !but_for.contains(&part) {
            assert_eq!(finding["verdict"], "good", "{finding}");
        }
    }
}

/// The one finding of a part that is not good: its verdict and its code; and its remedy.
#[track_caller]
fn bad(ended: &Ended, part: &str) -> (String, String, String) {
    let found: Vec<Value> = of(ended, part)
        .into_iter()
        .filter(|finding| finding["verdict"] != "good")
        .collect();
    assert_eq!(found.len(), 1, "{}", ended.result);
    let text = |member: &str| found[0][member].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("error"), text("remedy"))
}

fn named(verdict: &str, error: &str) -> impl Fn(&(String, String, String)) -> bool {
    let expected = (verdict.to_owned(), error.to_owned());
    move |(verdict, error, _)| (verdict.clone(), error.clone()) == expected
}

#[test]
fn an_appliance_that_is_well_is_said_to_be_well_in_every_part() {
    let world = World::new(1);
    let alone = doctor(&world);
    assert_all_good(&alone, &["server"]);
    assert!(
        named("look", "E-OTHER not-served")(&bad(&alone, "server")),
        "{}",
        alone.result
    );
    for part in [
        "permissions",
        "media",
        "disk",
        "databases",
        "keys",
        "secrets",
        "audit",
        "trust",
        "alarms",
        "store",
        "agents",
        "certificates",
        "clock",
        "configuration",
        "units",
        "server",
    ] {
        assert!(!of(&alone, part).is_empty(), "{part}");
    }
    // Beside a server too; what that writes meanwhile is its own.
    let serving = Serving::start(&world.state());
    let words = words(&world);
    let beside = world.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_all_good(&beside, &[]);
    drop(serving);
}

/// Everything at once: each part has its own sentence, and the exit code is that of the worst.
#[test]
fn what_is_damaged_is_told_part_by_part_and_nothing_is_touched() {
    let world = World::new(2);
    assert_all_good(&doctor(&world), &["server"]);
    let gone = world.releases[1].layers[1].0.to_hex();
    let blob = world.state().join("blobs/sha256").join(&gone[..2]).join(&gone);
    let bytes = read(&blob);
    fs::remove_file(&blob).unwrap();
    let ended = doctor(&world);
    assert_eq!(
        (ended.code, ended.refusal.as_ref().map(|it| it.1.as_str())),
        (Some(27), Some("doctor"))
    );
    let found = bad(&ended, "store");
    assert!(named("broken", "E-STATE content-damaged")(&found), "{found:?}");
    assert!(
        found.2.contains("airlock import FILE") && found.2.contains("airlock bundle repair BUNDLE"),
        "{found:?}"
    );
    // What is said is done: the bundle that is named, once more.
    world.import(&world.releases[1]);
    assert_eq!(read(&blob), bytes);
    assert_all_good(&doctor(&world), &["server"]);

    // A log that was changed.
    let copy = world.copy();
    copy.sql("UPDATE audit SET detail = '{}' WHERE number = 2");
    let found = bad(&doctor(&copy), "audit");
    assert!(named("broken", "E-STATE audit-broken")(&found), "{found:?}");
    // Marks, keys, a pin.
    let copy = world.copy();
    // What is gone, and what is another appliance's.
    let other = World::new(0);
    for (name, error) in [
        ("marks", "E-STATE marks-file"),
        ("identity/token.key", "E-STATE token-key"),
        ("identity/revision.key", "E-STATE revision-key"),
    ] {
        let path = copy.state().join(name);
        let kept = read(&path);
        fs::remove_file(&path).unwrap();
        let found = bad(&doctor(&copy), "keys");
        assert!(named("broken", error)(&found), "{found:?}");
        if name != "marks" {
            write(&path, &read(&other.state().join(name)));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let found = bad(&doctor(&copy), "keys");
            assert!(named("broken", error)(&found), "{found:?}");
        }
        write(&path, &kept);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_all_good(&doctor(&copy), &["server"]);
    // A key of revisions that is another's is made anew, as it says, and set aside; so is one of tokens.
    for (name, error, words) in [
        (
            "revision",
            "E-STATE revision-key",
            &["status", "rotate-key", "--yes"][..],
        ),
        (
            "token",
            "E-STATE token-key",
            &["recover", "--yes", "--as", "token-key-lost"],
        ),
    ] {
        let path = copy.state().join(format!("identity/{name}.key"));
        write(&path, &read(&other.state().join(format!("identity/{name}.key"))));
        let found = bad(&doctor(&copy), "keys");
        assert!(named("broken", error)(&found), "{found:?}");
        assert!(found.2.contains(&format!("airlock {}", words[0])), "{found:?}");
        copy.good(words);
        assert_all_good(&doctor(&copy), &["server"]);
        assert!(copy.state().join(format!("identity/{name}-damaged-1.key")).is_file());
    }
    // The root of a vendor whose releases are here, and pinned again as it says.
    let pin = fs::read_dir(copy.state().join("roots"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let fingerprint = copy.good(&["trust", "show"])["roots"][0]["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    let root = copy.path("root.json");
    write(&root, &read(&pin));
    fs::remove_file(&pin).unwrap();
    let found = bad(&doctor(&copy), "trust");
    assert!(named("broken", "E-STATE pin-missing")(&found), "{found:?}");
    assert!(
        found.2.contains("airlock trust add ROOT --fingerprint HEX"),
        "{found:?}"
    );
    copy.good(&["trust", "add", root.to_str().unwrap(), "--fingerprint", &fingerprint]);
    assert_all_good(&doctor(&copy), &["server"]);
}

/// What only the server knows is asked of it; what of its answer is bad is told, until it is started again.
#[test]
fn the_server_that_runs_is_asked_and_believed() {
    let world = World::new(1);
    let words = words(&world);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let serving = Serving::start(&world.state());
    assert_all_good(&world.run(&words), &[]);
    for end in ["", "-wal", "-shm"] {
        fs::remove_file(world.state().join(format!("status.db{end}"))).ok();
    }
    wait_for("the server's word", || world.run(&words).code == Some(27));
    let ended = world.run(&words);
    let found = bad(&ended, "server");
    assert!(named("broken", "E-STATE not-ready")(&found), "{found:?}");
    assert!(
        found.2.contains("start it again") && ended.result.to_string().contains("state-replaced"),
        "{found:?}"
    );
    drop(serving);
    // As numbers had been given in it.
    let mark = world.state().join("status-mark");
    let made = mark.try_exists().unwrap();
    if !made {
        write(&mark, b"{\"marks\":[],\"raises\":\"1\"}");
        fs::set_permissions(&mark, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let found = bad(&doctor(&world), "databases");
    assert!(named("broken", "E-STATE status-missing")(&found), "{found:?}");
    let serving = Serving::start(&world.state());
    assert_all_good(&world.run(&words), &[]);
    drop(serving);
    // One that holds the folder and does not answer.
    let appliance = world.appliance().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let said = appliance.say_served("https://plant.example", &[nobody]).unwrap();
    let found = bad(&world.run(&words), "server");
    assert!(named("broken", "E-IO no-answer")(&found), "{found:?}");
    drop(said);
    // One that serves over HTTPS alone is not asked.
    let said = appliance.say_served("https://plant.example", &[]).unwrap();
    let ended = world.run(&words);
    assert!(
        named("look", "E-OTHER not-asked")(&bad(&ended, "server")),
        "{}",
        ended.result
    );
    drop((said, appliance));
    let serving = Serving::start(&world.state());
    assert_all_good(&world.run(&words), &[]);
    drop(serving);
}

/// A damaged or lost database: the rest is looked at as far as it goes.
#[test]
fn without_its_database_a_state_folder_is_told_of_all_the_same() {
    let world = World::new(1);
    let path = world.state().join("airlock.db");
    let whole = read(&path);
    let mut bytes = whole.clone();
    bytes[4096..8192].fill(0xff);
    write(&path, &bytes);
    let ended = doctor(&world);
    assert_eq!(ended.code, Some(27));
    let found = bad(&ended, "databases");
    assert!(named("broken", "E-STATE database-damaged")(&found), "{found:?}");
    let found = bad(&ended, "store");
    assert!(named("look", "E-STATE unseen")(&found), "{found:?}");
    fs::remove_file(&path).unwrap();
    let ended = doctor(&world);
    let found = bad(&ended, "databases");
    assert!(named("broken", "E-STATE database-missing")(&found), "{found:?}");
    write(&path, &whole);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_all_good(&doctor(&world), &["server"]);
}

/// Modes of the state, of the configuration, and of what that names; each is put right as it is said.
#[test]
fn modes_are_put_right_as_the_findings_say() {
    let world = World::new(1);
    let (words, key) = (words(&world), world.state().join("identity/status.pem"));
    let config = world.path("airlock.toml");
    let login = world.path("harbor.login");
    write(&login, b"u:p\n");
    let text = format!(
        "[agents]\naddress = \"airlock.plant.example:5000\"\n[mirror]\nregistry = \"harbor.plant.example\"\ncredentials = {login:?}\n"
    );
    write(&config, text.as_bytes());
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&login, 0o600);
    assert_eq!(words.len(), 5);
    assert_all_good(&doctor(&world), &["server"]);
    // Files that others may read, and nothing says so but their modes.
    let earlier = world.state().join("identity/recipient-damaged-1.key");
    write(&earlier, b"one that was set aside");
    let open = [world.state().join("airlock.db"), earlier];
    for path in &open {
        mode(path, 0o640);
    }
    let ended = doctor(&world);
    let found = bad(&ended, "permissions");
    assert!(
        ended.code == Some(0) && named("look", "E-STATE readable")(&found),
        "{found:?}"
    );
    let command = &found.2[found.2.find("chmod").unwrap()..];
    let done = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(done.success() && open.iter().all(|path| path.metadata().unwrap().mode() & 0o777 == 0o600));
    assert_all_good(&doctor(&world), &["server"]);
    for (path, wrong, right, part, error) in [
        (&key, 0o644, 0o600, "keys", "E-STATE status-key"),
        (&config, 0o666, 0o644, "permissions", "E-STATE writable"),
        (&login, 0o640, 0o600, "permissions", "E-TRUST key-file"),
    ] {
        mode(path, wrong);
        let found = bad(&doctor(&world), part);
        assert!(named("broken", error)(&found), "{found:?}");
        assert!(
            found.2.contains("chmod") && found.2.contains(path.to_str().unwrap()),
            "{found:?}"
        );
        mode(path, right);
        assert_all_good(&doctor(&world), &["server"]);
    }
}

/// The service: not there, another one, not enabled.
#[test]
fn units_are_put_in_place_as_the_findings_say() {
    let world = World::new(1);
    assert_all_good(&doctor(&world), &["server"]);
    let unit = world.path("units").join("airlock.service");
    let wants = world.path("units").join("multi-user.target.wants/airlock.service");
    let shipped = read(&unit);
    write(&unit, &[shipped.as_slice(), b"# mine\n"].concat());
    let found = bad(&doctor(&world), "units");
    assert!(named("look", "E-OTHER other-unit")(&found), "{found:?}");
    write(&unit, &shipped);
    assert_all_good(&doctor(&world), &["server"]);
    fs::remove_file(&wants).unwrap();
    let found = bad(&doctor(&world), "units");
    assert!(named("look", "E-OTHER not-enabled")(&found), "{found:?}");
    // What systemctl does.
    std::os::unix::fs::symlink("../airlock.service", &wants).unwrap();
    assert_all_good(&doctor(&world), &["server"]);
    fs::remove_file(&unit).unwrap();
    let found = bad(&doctor(&world), "units");
    assert!(named("look", "E-OTHER no-unit")(&found), "{found:?}");
    assert!(found.2.contains("systemd/airlock.service"), "{found:?}");
    write(&unit, &shipped);
    assert_all_good(&doctor(&world), &["server"]);
}

/// A configuration that says what no server could do, and one that leads agents astray.
#[test]
fn the_configuration_is_judged_as_config_check_judges_it() {
    let world = World::new(1);
    words(&world);
    let config = world.path("airlock.toml");
    write(&config, b"[registry]\nreed = \"loopback\"\n");
    let ended = doctor(&world);
    assert_eq!(ended.code, Some(2));
    let found = bad(&ended, "configuration");
    assert!(named("broken", "E-USAGE config")(&found), "{found:?}");
    write(&config, b"");
    let ended = doctor(&world);
    assert_eq!(ended.code, Some(0));
    assert!(
        named("look", "E-USAGE config")(&bad(&ended, "configuration")),
        "{}",
        ended.result
    );
}

/// Something that was written ahead of the clock; by the log itself, whose seal holds.
#[test]
fn a_clock_behind_what_was_written_here_is_told() {
    let world = World::new(1);
    let ahead = SystemClock.now().plus_seconds(86_400);
    let db = airlock::db::Db::open(&world.state().join("airlock.db"), &airlock::db::Schema::SITE).unwrap();
    db.write(|tx| airlock::db::site::audit::append(tx, ahead, "scrub", &serde_json::json!({}), &[]).map(|_| ()))
        .unwrap();
    drop(db);
    let ended = doctor(&world);
    let found = bad(&ended, "clock");
    assert!(named("look", "E-CLOCK clock")(&found), "{found:?}");
    assert_eq!(ended.code, Some(0));
}
