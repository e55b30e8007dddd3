//! The vendor's commands as a person runs them: workspace, trust, enrolment, bundles from a registry with credentials.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use airlock::crypto::{Chain, Enrolment, RecipientKey, SigningKey};
use airlock::domain::Timestamp;
use airlock::vendor_side::collect::RegistryOptions;
use airlock::vendor_side::release::Overrides;
use airlock::vendor_side::release_file::ReleaseFile;
use airlock::vendor_side::{AskSecret, Build, Destination, Init, SigningTime, Workspace, build};
use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::image_set::ImageSet;
use crate::support::registry::{Access, Behaviour, TestRegistry};

use crate::support::appliance::write_private;

/// A folder with a workspace, and an environment without anything else.
pub(crate) struct CommandFolder {
    folder: tempfile::TempDir,
}

impl CommandFolder {
    pub(crate) fn new() -> Self {
        let folder = Self {
            folder: crate::support::appliance::scratch(),
        };
        // The commands judge dates by the clock of the machine: everything here holds until long after these tests.
        let init = ["vendor", "init", "--product", "app", "--vendor", "Test", "w"];
        folder.good(&[&init[..], &["--expires", "2100-01-01T00:00:00Z"]].concat());
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_as("json", arguments)
    }

    pub(crate) fn run_as(&self, format: &str, arguments: &[&str]) -> Output {
        self.run_with(format, &[], arguments)
    }

    /// With more in the environment.
    pub(crate) fn run_with(&self, format: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_airlock"))
            .args(["--format", format])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", self.folder.path())
            .env("HOME", self.folder.path())
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("SOURCE_DATE_EPOCH", "1767225600")
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed and returns its result.
    pub(crate) fn good(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{text}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Runs a command that must be refused and returns class, code, and the whole event.
    pub(crate) fn refused(&self, arguments: &[&str]) -> (String, String, Value) {
        let event = refusal_of(&self.run(arguments));
        let word = |name: &str| event[name].as_str().unwrap().to_owned();
        (word("class"), word("code"), event.clone())
    }

    pub(super) fn release_file(&self, source: &str) {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures")
            .display()
            .to_string();
        let text = format!(
            "product: app\nchannel: stable\nversion: \"1\"\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\n\
             allow_outside: [{fixtures}]\nimages:\n  \
             - source: {source}\n    name: registry.test/acme/app:1.0\n"
        );
        fs::write(self.path("release.yaml"), text).unwrap();
    }

    fn docker_config(&self, config: &Value) {
        fs::create_dir_all(self.path("docker")).unwrap();
        fs::write(self.path("docker/config.json"), config.to_string()).unwrap();
    }
}

/// The event of a command that was refused.
pub(super) fn refusal_of(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let event: Value = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|event| event["event"] == "refused")
        .unwrap_or_else(|| panic!("it was not refused\n{text}"));
    assert_eq!(output.status.code().map(i64::from), event["exit"].as_i64());
    assert!(output.stdout.is_empty(), "nothing is said as a result");
    event
}

pub(super) const CREATE: [&str; 8] = ["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", "out.airlock"];

fn image_set() -> ImageSet {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"layer");
    image_set.tag("1.0", &image);
    image_set
}

#[test]
fn credentials_come_from_dockers_configuration() {
    let pair = base64::engine::general_purpose::STANDARD.encode("user:secret");
    for access in [Access::Basic, Access::Bearer, Access::Identity] {
        let folder = CommandFolder::new();
        let behaviour = Behaviour {
            access,
            ..Behaviour::default()
        };
        let registry = TestRegistry::start(image_set(), behaviour);
        folder.release_file(&registry.image(":1.0"));
        let (class, code, _) = folder.refused(&CREATE);
        assert_eq!(
            (class.as_str(), code.as_str()),
            ("E-USAGE", "registry-credentials"),
            "{access:?}"
        );
        assert!(!folder.path("out.airlock").exists());

        let entry = if access == Access::Identity {
            json!({"auth": "", "identitytoken": "re/fresh"})
        } else {
            json!({"auth": pair})
        };
        folder.docker_config(&json!({"auths": {registry.host(): entry}}));
        let made = folder.good(&CREATE);
        assert_eq!(
            (&made["names"], &made["signatures"]),
            (&json!(1), &json!(1)),
            "{access:?}"
        );
        folder.good(&["bundle", "verify", "out.airlock", "--trust", "w/root.json"]);
    }
}

#[test]
fn a_credential_helper_is_asked_and_a_wrong_password_is_told() {
    let folder = CommandFolder::new();
    let behaviour = Behaviour {
        access: Access::Basic,
        ..Behaviour::default()
    };
    let registry = TestRegistry::start(image_set(), behaviour);
    folder.release_file(&registry.image(":1.0"));
    let wrong = base64::engine::general_purpose::STANDARD.encode("user:wrong");
    folder.docker_config(&json!({"auths": {registry.host(): {"auth": wrong}}}));
    let (class, code, event) = folder.refused(&CREATE);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "registry-credentials"));
    assert!(!event.to_string().contains("wrong"), "no secret is repeated: {event}");

    let helper = folder.path("docker-credential-test");
    let script = "#!/bin/sh\nread server\necho '{\"ServerURL\":\"x\",\"Username\":\"user\",\"Secret\":\"secret\"}'\n";
    fs::write(&helper, script).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    folder.docker_config(&json!({"credHelpers": {registry.host(): "test"}}));
    folder.good(&CREATE);
}

#[test]
fn credentials_never_leave_tls_for_a_token_service_in_clear() {
    let folder = CommandFolder::new();
    let behaviour = Behaviour {
        access: Access::Bearer,
        tls: true,
        ..Behaviour::default()
    };
    let registry = TestRegistry::start(image_set(), behaviour);
    let pair = base64::engine::general_purpose::STANDARD.encode("user:secret");
    folder.docker_config(&json!({"auths": {registry.host(): {"auth": pair}}}));
    folder.release_file(&registry.image(":1.0"));
    let ca = format!("{}/tests/it/support/tls/ca.pem", env!("CARGO_MANIFEST_DIR"));
    let (class, code, event) = folder.refused(&[&CREATE[..], &["--ca-file", &ca]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-IO", "registry"));
    assert!(event["found"].as_str().unwrap().contains("HTTPS"), "{event}");
    assert!(registry.log().iter().all(|line| !line.contains("/token")));
}

#[test]
fn one_number_has_one_content_and_the_same_inputs_give_the_same_bytes() {
    let folder = CommandFolder::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
    folder.release_file(&format!("oci:{}", fixtures.display()));
    let first = folder.good(&CREATE);
    let bytes = fs::read(folder.path("out.airlock")).unwrap();
    let again = folder.good(&CREATE);
    assert_eq!(first["head_digest"], again["head_digest"]);
    assert!(bytes == fs::read(folder.path("out.airlock")).unwrap());

    let other = [&CREATE[..], &["--platform", "linux/amd64"]].concat();
    let (class, code, _) = folder.refused(&other);
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "number-used"));
    assert!(
        bytes == fs::read(folder.path("out.airlock")).unwrap(),
        "the old bundle stays"
    );
    let leftovers = fs::read_dir(folder.folder.path())
        .unwrap()
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("partial")
        })
        .count();
    assert_eq!(leftovers, 0);
    let next = folder.good(&[&other[..], &["--sequence", "2", "--replace"]].concat());
    assert_eq!((&next["sequence"], &next["absent"]), (&json!(2), &json!(1)));

    let unsigned = folder.good(&[&CREATE[..], &["--unsigned", "--replace"]].concat());
    assert_eq!(
        (&unsigned["signatures"], &unsigned["signatures_missing"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(unsigned["head_digest"], first["head_digest"]);
}

#[test]
fn create_and_inspect_say_what_targets_run() {
    let folder = CommandFolder::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shop/release.yaml");
    let text = fs::read_to_string(&fixture)
        .unwrap()
        .replace("product: shop", "product: app");
    let fixtures = fixture.parent().unwrap().display().to_string();
    let text = text
        .replace("oci:../hello", &format!("oci:{fixtures}/../hello"))
        .replace(": compose.yaml", &format!(": {fixtures}/compose.yaml"))
        .replace(": shop.env", &format!(": {fixtures}/shop.env"))
        .replace("[../hello]", &format!("[{fixtures}/..]"));
    fs::write(folder.path("release.yaml"), text).unwrap();
    let made = folder.good(&CREATE);
    let target = &made["targets"][0];
    assert_eq!(
        (&target["name"], &target["kind"]),
        (&json!("counter"), &json!("docker"))
    );
    let inspect = ["bundle", "inspect", "out.airlock", "--trust", "w/root.json", "--list"];
    let shown = folder.good(&inspect);
    assert_eq!(
        shown["desired"]["targets"][0]["deployments"][0]["revision"],
        target["deployments"][0]["revision"]
    );
    assert_eq!(shown["names"].as_array().unwrap().len(), 3);
    folder.good(&["bundle", "verify", "out.airlock", "--trust", "w/root.json"]);
    // Without targets nothing is said of them.
    folder.release_file(&format!("oci:{fixtures}/../hello"));
    let (class, code, _) = folder.refused(&[&CREATE[..], &["--sequence", "2", "--replace"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-POLICY", "undeploy"));
}

#[test]
fn a_site_is_enrolled_and_named_in_a_release() {
    let folder = CommandFolder::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
    folder.release_file(&format!("oci:{}", fixtures.display()));
    let for_plant = [&CREATE[..], &["--site", "plant"]].concat();
    let (class, code, _) = folder.refused(&for_plant);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "value"));
    let site = "0123456789abcdef0123456789abcdef";
    let domain = Chain::parse(&fs::read(folder.path("w/root.json")).unwrap())
        .unwrap()
        .domain();
    let enrolment = |status: u8| {
        let status = SigningKey::from_secret(&[status; 32]);
        let recipient = RecipientKey::x25519([9; 32]);
        Enrolment::sign(site.parse().unwrap(), domain, recipient, Timestamp::EPOCH, &status)
    };
    fs::write(folder.path("plant.json"), enrolment(1)).unwrap();
    let enroll = ["vendor", "enroll", "--yes", "plant.json", "-w", "w", "--name", "plant"];
    assert_eq!(folder.good(&enroll)["result"], "enrolled");
    assert_eq!(folder.good(&enroll)["result"], "already");
    assert_eq!(folder.good(&for_plant)["audience"], json!([site]));
    fs::write(folder.path("plant.json"), enrolment(2)).unwrap();
    let (class, code, _) = folder.refused(&enroll);
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "site-keys"));
    assert_eq!(
        folder.good(&["vendor", "sites", "-w", "w"]).as_array().unwrap().len(),
        1
    );
}

#[test]
fn keys_with_a_passphrase_are_made_rotated_and_used() {
    let folder = CommandFolder::new();
    write_private(&folder.path("pass"), b"correct horse\n");
    write_private(&folder.path("wrong"), b"battery staple\n");
    let init = [
        "vendor",
        "init",
        "--product",
        "app",
        "--vendor",
        "Test",
        "locked",
        "--passphrase-file",
    ];
    folder.good(&[&init[..], &["pass", "--root-keys", "1", "--expires-years", "90"]].concat());
    let rotate = ["vendor", "trust", "rotate", "ack", "-w", "locked"];
    let keys = || fs::read_dir(folder.path("locked/keys")).unwrap().count();
    let (before, chain) = (keys(), fs::read(folder.path("locked/root.json")).unwrap());
    for extra in [&[][..], &["--passphrase-file", "wrong"]] {
        let (class, code, _) = folder.refused(&[&rotate[..], extra].concat());
        assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "passphrase"));
        assert_eq!(keys(), before, "no key is left of a change that was refused");
        assert!(chain == fs::read(folder.path("locked/root.json")).unwrap());
    }
    let shown = folder.good(&[&rotate[..], &["--passphrase-file", "pass"]].concat());
    assert_eq!(
        (&shown["version"], &shown["roles"]["ack"][0]["keys"][0]["file"]),
        (&json!(2), &json!("ack-2.pem"))
    );
    let pem = fs::read_to_string(folder.path("locked/keys/ack-2.pem")).unwrap();
    assert!(pem.contains("ENCRYPTED"));
}

#[test]
fn a_failed_init_leaves_nothing_and_a_good_one_is_private() {
    let folder = CommandFolder::new();
    let (class, code, _) = folder.refused(&["vendor", "init", "--product", "app", "--vendor", "Test", "w"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "folder-in-use"));
    let bad = [
        "vendor",
        "init",
        "--product",
        "app",
        "--vendor",
        "Test",
        "x",
        "--threshold",
        "9",
    ];
    let (class, code, _) = folder.refused(&bad);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "threshold"));
    let names: Vec<_> = fs::read_dir(folder.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["w"]);
    for entry in fs::read_dir(folder.path("w/keys")).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let private = path.extension().is_some_and(|suffix| suffix == "pem");
        assert_eq!(mode, if private { 0o600 } else { 0o644 });
    }
}

/// Class and code of a refusal.
fn refusal(folder: &CommandFolder, arguments: &[&str], extra: &[&str]) -> (String, String) {
    let (class, code, event) = folder.refused(&[arguments, extra].concat());
    assert!(event["remedy"].is_string(), "{event}");
    (class, code)
}

fn words(class: &str, code: &str) -> (String, String) {
    (class.to_owned(), code.to_owned())
}

const FUTURE: [&str; 2] = ["--issued-at", "2098-01-01T00:00:00Z"];
const OVER: [&str; 4] = [
    "--issued-at",
    "2020-01-01T00:00:00Z",
    "--expires",
    "2020-06-01T00:00:00Z",
];

#[test]
fn a_release_of_the_future_needs_a_word_and_an_expired_one_is_not_made() {
    let folder = CommandFolder::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
    folder.release_file(&format!("oci:{}", fixtures.display()));
    assert_eq!(refusal(&folder, &CREATE, &FUTURE), words("E-CLOCK", "issued-ahead"));
    assert_eq!(refusal(&folder, &CREATE, &OVER), words("E-EXPIRED", "bundle"));
    let told = [&OVER[..], &["--allow-future"]].concat();
    assert_eq!(refusal(&folder, &CREATE, &told), words("E-EXPIRED", "bundle"));
    // Beyond the end of the root no word helps.
    let after = [
        "--issued-at",
        "2100-01-01T00:00:00Z",
        "--expires",
        "2100-06-01T00:00:00Z",
    ];
    assert_eq!(refusal(&folder, &CREATE, &after), words("E-CLOCK", "issued-ahead"));
    let told = [&after[..], &["--allow-future"]].concat();
    assert_eq!(refusal(&folder, &CREATE, &told), words("E-CLOCK", "issued-after-root"));
    assert!(!folder.path("out.airlock").exists());

    // The word changes no byte of what needs none.
    let plain = folder.good(&CREATE);
    let bytes = fs::read(folder.path("out.airlock")).unwrap();
    let told = folder.good(&[&CREATE[..], &["--allow-future"]].concat());
    assert_eq!(plain["head_digest"], told["head_digest"]);
    assert!(bytes == fs::read(folder.path("out.airlock")).unwrap());
    // A number is not used up by what was refused, nor by the day.
    let told = [
        &CREATE[..],
        &FUTURE,
        &["--allow-future", "--sequence", "2", "--replace"],
    ]
    .concat();
    assert_eq!(folder.good(&told)["sequence"], 2);
}

#[test]
fn a_release_under_an_expired_root_is_not_made_until_the_root_is_renewed() {
    let folder = CommandFolder::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
    folder.release_file(&format!("oci:{}", fixtures.display()));
    // A root that was good when it was made.
    let init = Init {
        products: vec!["app".parse().unwrap()],
        vendor: "Test".to_owned(),
        root_keys: 1,
        threshold: 1,
        time: SigningTime::at("2026-01-01T00:00:00Z".parse().unwrap()),
        issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        expires: "2026-02-01T00:00:00Z".parse().unwrap(),
    };
    Workspace::init(&folder.path("old"), &init, None).unwrap();
    let create = [
        "bundle",
        "create",
        "-f",
        "release.yaml",
        "-w",
        "old",
        "-o",
        "out.airlock",
    ];
    assert_eq!(refusal(&folder, &create, &[]), words("E-EXPIRED", "root"));
    assert_eq!(
        refusal(&folder, &create, &["--allow-future"]),
        words("E-EXPIRED", "root")
    );
    // The new root would live as long as the old one did: from a day long past, that is over too.
    let set = ["vendor", "trust", "set", "-w", "old"];
    let threshold = ["--threshold", "release=2"];
    assert_eq!(refusal(&folder, &set, &threshold), words("E-EXPIRED", "root"));
    folder.good(&[&set[..], &["--expires-years", "90"]].concat());
    folder.good(&create);
}

#[test]
fn a_signing_room_refuses_the_same_dates() {
    let folder = CommandFolder::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
    folder.release_file(&format!("oci:{}", fixtures.display()));
    folder.good(&[&CREATE[..], &FUTURE, &["--unsigned", "--replace", "--allow-future"]].concat());
    let before = fs::read(folder.path("out.airlock")).unwrap();
    let sign = ["bundle", "sign", "out.airlock", "--key", "w/keys/release-1.pem"];
    assert_eq!(refusal(&folder, &sign, &[]), words("E-CLOCK", "issued-ahead"));
    assert_eq!(
        refusal(&folder, &sign, &["--detached", "out.sig"]),
        words("E-CLOCK", "issued-ahead")
    );
    assert!(!folder.path("out.sig").exists());
    assert!(before == fs::read(folder.path("out.airlock")).unwrap());
    assert_eq!(folder.good(&[&sign[..], &["--allow-future"]].concat())["signatures"], 1);

    // Made in time, carried to the signing room too late.
    let text = fs::read_to_string(folder.path("release.yaml")).unwrap();
    let text = text.replace("expires: 2099-01-01T00:00:00Z", "expires: 2026-01-02T00:00:00Z");
    fs::write(folder.path("late.yaml"), &text).unwrap();
    let workspace = Workspace::open(&folder.path("w")).unwrap();
    let overrides = Overrides {
        sequence: Some(2),
        issued_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        ..Overrides::default()
    };
    let inputs = Build {
        secrets: AskSecret::Assumed,
        file: &ReleaseFile::parse(&folder.path("late.yaml"), &text).unwrap(),
        overrides: &overrides,
        registries: &RegistryOptions::default(),
        keys: &[],
        ack_keys: None,
        time: SigningTime::at("2026-01-01T12:00:00Z".parse().unwrap()),
    };
    let late = folder.path("late.airlock");
    build(&workspace, &inputs, Destination::File(&late), &mut |_| ()).unwrap();
    let sign = ["bundle", "sign", "late.airlock", "--key", "w/keys/release-1.pem"];
    for extra in [&[][..], &["--allow-future"]] {
        assert_eq!(refusal(&folder, &sign, extra), words("E-EXPIRED", "bundle"));
    }
}

#[test]
fn a_root_of_the_future_needs_a_word_and_an_expired_one_is_not_made() {
    let folder = CommandFolder::new();
    let chain = || fs::read(folder.path("w/root.json")).unwrap();
    let before = chain();
    let init = ["vendor", "init", "--product", "app", "--vendor", "Test", "x"];
    let set = ["vendor", "trust", "set", "-w", "w", "--epoch", "app/stable=1"];
    let rotate = ["vendor", "trust", "rotate", "ack", "-w", "w"];
    let propose = ["vendor", "trust", "propose", "-w", "w", "-o", "root-2.json"];
    let turned = [
        "--issued-at",
        "2020-06-01T00:00:00Z",
        "--expires",
        "2020-01-01T00:00:00Z",
    ];
    for command in [&init[..], &set, &rotate, &propose] {
        assert_eq!(refusal(&folder, command, &FUTURE), words("E-CLOCK", "issued-ahead"));
        assert_eq!(refusal(&folder, command, &OVER), words("E-EXPIRED", "root"));
        assert_eq!(refusal(&folder, command, &turned), words("E-TRUST", "times"));
    }
    assert!(before == chain());
    assert!(!folder.path("x").exists() && !folder.path("root-2.json").exists());
    let acks = fs::read_dir(folder.path("w/keys")).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("ack-")
    });
    assert_eq!(acks.count(), 2, "no key is left of a change that was refused");

    // A proposal that was told so is refused again by each one who signs it and by the workspace that takes it.
    let told = [&propose[..], &FUTURE, &["--allow-future"]].concat();
    folder.good(&told);
    for key in ["w/keys/root-1.pem", "w/keys/root-2.pem"] {
        let sign = ["vendor", "trust", "sign", "root-2.json", "--key", key];
        assert_eq!(refusal(&folder, &sign, &[]), words("E-CLOCK", "issued-ahead"));
        folder.good(&[&sign[..], &["--allow-future"]].concat());
    }
    let adopt = ["vendor", "trust", "adopt", "root-2.json", "-w", "w"];
    assert_eq!(refusal(&folder, &adopt, &[]), words("E-CLOCK", "issued-ahead"));
    assert!(before == chain());
    let shown = folder.good(&[&adopt[..], &["--allow-future"]].concat());
    assert_eq!(shown["issued_at"], "2098-01-01T00:00:00Z");
}

#[test]
fn a_root_that_resets_time_is_made_shown_and_not_repeated() {
    let folder = CommandFolder::new();
    let show = ["vendor", "trust", "show", "-w", "w"];
    let set = ["vendor", "trust", "set", "-w", "w"];
    assert_eq!(folder.good(&show)["time_reset"], false);
    assert_eq!(folder.refused(&set).1, "no-change");
    let made = folder.good(&[&set[..], &["--time-reset"]].concat());
    assert_eq!((&made["version"], &made["time_reset"]), (&json!(2), &json!(true)));
    assert_eq!(folder.good(&show)["time_reset"], true);
    let human = |arguments: &[&str]| {
        let output = folder.run_as("human", arguments);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(human(&show).contains("\ntime reset   "), "{}", human(&show));

    let next = folder.good(&[&set[..], &["--epoch", "app/stable=1"]].concat());
    assert_eq!((&next["version"], &next["time_reset"]), (&json!(3), &json!(false)));
    assert!(!human(&show).contains("time reset"));

    // Whoever signs a proposal sees that it resets time.
    let propose = [
        "vendor",
        "trust",
        "propose",
        "-w",
        "w",
        "-o",
        "root-4.json",
        "--time-reset",
    ];
    assert_eq!(folder.good(&propose)["root"]["time_reset"], true);
    let sign = ["vendor", "trust", "sign", "root-4.json", "--key"];
    assert!(human(&[&sign[..], &["w/keys/root-1.pem"]].concat()).contains("time reset"));
    let signed = folder.good(&[&sign[..], &["w/keys/root-2.pem"]].concat());
    assert_eq!(signed["root"]["time_reset"], true);
    let adopt = ["vendor", "trust", "adopt", "root-4.json", "-w", "w"];
    assert_eq!(folder.good(&adopt)["time_reset"], true);
}
