//! Copies into another registry of the site: the same digests under mapped names, nothing twice, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::live::Live;
use airlock::appliance::registry::{MirroredRepository, Registry};
use airlock::bundle::{BundleContent, TagLine};
use airlock::config::MirrorSettings;
use airlock::domain::{Digest, oci};
use airlock::edge::{MirrorEvent, Patience, Target, mirror};
use serde_json::json;

use super::push_registry::{Behaviour, Lie, PushRegistry};
use super::told::partial;
use crate::support::agents::basic;
use crate::support::appliance::{AIRLOCK, Ended, audit_actions, scratch, write};
use crate::support::bundles::{Made, REPOSITORY, SMALL_CHUNKS};
use crate::support::in_process::InProcessAppliance;
use crate::support::site::{digest, noise};

struct Plant {
    instance: InProcessAppliance,
    folder: tempfile::TempDir,
    registry: PushRegistry,
    config: String,
}

impl Plant {
    fn new(behaviour: Behaviour) -> Self {
        let registry = PushRegistry::start(behaviour);
        let config = format!(
            "[mirror]\nregistry = \"{}\"\nplain_http = true\nprefix = \"plant\"\nmap = [\"registry.test=own\"]\n",
            registry.host()
        );
        Self {
            instance: InProcessAppliance::new(),
            folder: scratch(),
            registry,
            config,
        }
    }

    /// One image of a layer of several pieces and a small one.
    fn with_image(behaviour: Behaviour) -> (Self, Made) {
        let plant = Self::new(behaviour);
        let layers = [noise(9 << 20, 1), b"small".to_vec()];
        let made = plant.instance.vendor.bundle(1, &layers, SMALL_CHUNKS);
        plant.instance.import(&made, false).unwrap();
        (plant, made)
    }

    fn config(&self) -> PathBuf {
        let path = self.folder.path().join("airlock.toml");
        write(&path, self.config.as_bytes());
        path
    }

    fn run(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "mirror"]).args(words);
        command.arg("--config").arg(self.config());
        command.arg("--state").arg(self.instance.state());
        Ended::of(&command.output().unwrap())
    }
}

/// What `registry.test/crm/web` is called there.
const THERE: &str = "plant/own/crm/web";

#[test]
fn digests_and_tags_arrive_under_mapped_names_and_nothing_is_sent_twice() {
    let (plant, made) = Plant::with_image(Behaviour::default());
    // What would be done: without a single connection.
    let planned = plant.run(&["--dry-run"]);
    assert_eq!(planned.code, Some(0), "{}", planned.stderr);
    assert_eq!(planned.result["repositories"][0]["repository"], REPOSITORY);
    assert_eq!(planned.result["repositories"][0]["name"], THERE);
    assert_eq!(plant.registry.requests(), 0);
    assert!(!audit_actions(&plant.instance.state()).contains(&"mirror".to_owned()));

    let copied = plant.run(&[]);
    assert_eq!((copied.code, copied.word()), (Some(0), "copied"), "{}", copied.stderr);
    assert_eq!(
        (
            &copied.result["blobs"],
            &copied.result["manifests"],
            &copied.result["tags"]
        ),
        (&json!(3), &json!(1), &json!(2))
    );
    let bytes = plant.registry.manifest(THERE, &made.manifest.to_string()).unwrap();
    assert_eq!(digest(&bytes), made.manifest);
    for tag in ["latest", "v1"] {
        assert_eq!(plant.registry.manifest(THERE, tag).as_ref(), Some(&bytes));
    }
    assert!(
        made.layers
            .iter()
            .all(|layer| plant.registry.has_blob(THERE, &layer.to_string()))
    );
    assert_eq!(plant.registry.asked("PATCH "), 2, "9 MiB go in two pieces");

    let again = plant.run(&[]);
    assert_eq!(
        (again.code, &again.result["blobs"], &again.result["blobs_there"]),
        (Some(0), &json!(0), &json!(3))
    );
    assert_eq!(
        (
            &again.result["manifests"],
            &again.result["tags"],
            &again.result["tags_there"]
        ),
        (&json!(0), &json!(0), &json!(2))
    );
    assert_eq!(plant.registry.asked("PUT "), 0);
    let actions = audit_actions(&plant.instance.state());
    assert_eq!(actions.iter().filter(|action| *action == "mirror").count(), 2);
}

#[test]
fn nothing_connects_before_a_registry_is_named() {
    let (mut plant, _) = Plant::with_image(Behaviour::default());
    plant.config = "[mirror]\nprefix = \"plant\"\n".to_owned();
    let off = plant.run(&[]);
    off.assert_refused("E-USAGE", "mirror", "");
    assert!(off.remedy().starts_with("name the registry there"), "{}", off.remedy());
    assert_eq!(plant.registry.requests(), 0);
    // Nor by a certificate authority that is none.
    let authority = plant.folder.path().join("ca.pem");
    write(&authority, b"no certificate");
    plant.config = format!(
        "[mirror]\nregistry = \"{}\"\nauthority = \"{}\"\n",
        plant.registry.host(),
        authority.display()
    );
    let bad = plant.run(&[]);
    bad.assert_refused("E-USAGE", "mirror", "");
    assert_eq!(bad.remedy(), "check [mirror] authority in the configuration");
    assert_eq!(plant.registry.requests(), 0);
    // Done as it says.
    plant.config = format!(
        "[mirror]\nregistry = \"{}\"\nplain_http = true\n",
        plant.registry.host()
    );
    assert_eq!(plant.run(&[]).code, Some(0));
    assert!(plant.registry.manifest(REPOSITORY, "latest").is_some());
}

#[test]
fn a_copy_that_was_stopped_goes_on() {
    let faults = vec![("PUT /v2/plant/own/crm/web/manifests", 507, 1)];
    let (plant, _) = Plant::with_image(Behaviour {
        faults,
        ..Behaviour::default()
    });
    let stopped = plant.run(&[]);
    stopped.assert_refused("E-IO", "mirror-refused", "");
    assert!(
        stopped.remedy().starts_with("see what the registry says"),
        "{}",
        stopped.remedy()
    );
    assert!(plant.registry.asked("PATCH ") > 0);
    let again = plant.run(&[]);
    assert_eq!(
        (again.code, &again.result["blobs"], &again.result["manifests"]),
        (Some(0), &json!(0), &json!(1))
    );
    assert_eq!(plant.registry.asked("PATCH "), 0);
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_told() {
    let faults = vec![("POST ", 429, 2), ("PATCH ", 503, 1), ("HEAD ", 500, 1)];
    let (plant, _) = Plant::with_image(Behaviour {
        faults,
        ..Behaviour::default()
    });
    assert_eq!(plant.run(&[]).code, Some(0));
    plant
        .registry
        .behave(|behaviour| behaviour.faults = vec![("HEAD ", 503, u32::MAX)]);
    let failed = plant.run(&[]);
    failed.assert_refused("E-IO", "mirror", "");
    plant.registry.behave(|behaviour| behaviour.faults.clear());
    assert!(
        failed.remedy().starts_with("wait, or see its limits and its own log"),
        "{}",
        failed.remedy()
    );
    assert_eq!(plant.run(&[]).code, Some(0));
}

#[test]
fn a_registry_that_says_nothing_is_told_of_and_given_up() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.bundle(1, &[b"small".to_vec()], SMALL_CHUNKS);
    instance.import(&made, false).unwrap();
    let registry =
        Arc::new(Registry::new(&Live::load(&Arc::new(instance.appliance()), Duration::ZERO).unwrap()).unwrap());
    let repositories = registry.mirrored(&registry.snapshot()).unwrap();
    // It takes connections, and no word is said: of HTTP, and of TLS.
    for (plain_http, found) in [
        (
            true,
            "it took the request and gave no answer within 150 ms (HEAD /v2/registry.test/crm/web/blobs/sha256:",
        ),
        (
            false,
            "no connection (TCP and TLS) came about within 60 ms (HEAD /v2/registry.test/crm/web/blobs/sha256:",
        ),
    ] {
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = MirrorSettings {
            registry: Some(mute.local_addr().unwrap().to_string()),
            plain_http,
            ..MirrorSettings::default()
        };
        let patience = Patience {
            connection: Duration::from_millis(60),
            answer: Duration::from_millis(150),
            silence: Duration::from_millis(20),
            pause: Duration::from_millis(1),
        };
        let target = Target::with(&settings, patience).unwrap();
        let mut told = Vec::new();
        let name = |repository: &MirroredRepository| settings.name_of(&repository.name);
        let ended = mirror(&registry, target, &repositories, &name, &mut |event| {
            if let MirrorEvent::Waiting(what) = event {
                told.push(what);
            }
        });
        let error = ended.unwrap_err();
        assert_eq!((error.class().name(), error.code()), ("E-IO", "mirror"), "{error}");
        assert!(
            error.found().contains(found) && error.found().ends_with(", 3 times"),
            "{error}"
        );
        let says = "has given no answer to HEAD /v2/registry.test/crm/web/blobs/sha256:";
        // On a machine that is slow enough all of it fits between two looks.
        assert!(
            !plain_http || told.iter().any(|line| line.contains(says) && line.contains(" ms")),
            "{told:?}"
        );
    }
}

#[test]
fn a_registry_that_contradicts_itself_is_not_believed() {
    for lie in [Lie::Manifest, Lie::NoManifest, Lie::NoBlob, Lie::BlobSize, Lie::Range] {
        let (plant, made) = Plant::with_image(Behaviour {
            lie: Some(lie),
            ..Behaviour::default()
        });
        let refused = plant.run(&[]);
        refused.assert_refused("E-IO", "mirror-refused", "");
        assert!(
            refused.stderr.contains("contradicts itself"),
            "{lie:?}: {}",
            refused.stderr
        );
        // Once it tells the truth everything arrives.
        plant.registry.behave(|behaviour| behaviour.lie = None);
        let copied = plant.run(&[]);
        assert_eq!(copied.code, Some(0), "{lie:?}: {}", copied.stderr);
        let bytes = plant.registry.manifest(THERE, "latest").unwrap();
        assert_eq!(digest(&bytes), made.manifest, "{lie:?}");
    }
}

#[test]
fn a_registry_without_tls_is_reached_as_the_message_says() {
    let (mut plant, _) = Plant::with_image(Behaviour::default());
    plant.config = plant.config.replace("plain_http = true\n", "");
    let refused = plant.run(&[]);
    refused.assert_refused("E-IO", "mirror", "");
    assert!(refused.stderr.contains("does not speak TLS"), "{}", refused.stderr);
    assert_eq!(
        refused.remedy(),
        "where it has plain HTTP, write plain_http = true under [mirror] in the configuration; nothing was sent"
    );
    plant.config += "plain_http = true\n";
    assert_eq!(plant.run(&[]).code, Some(0));
}

#[test]
fn a_login_is_asked_for_and_lies_in_a_file_for_its_owner_alone() {
    let (mut plant, _) = Plant::with_image(Behaviour {
        wants: Some(basic("robot", "secret")),
        ..Behaviour::default()
    });
    let login = plant.folder.path().join("login");
    let put = |text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        write(&login, text.as_bytes());
        std::fs::set_permissions(&login, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let without = plant.config.clone();
    plant.config += &format!("credentials = \"{}\"\n", login.display());
    for (text, mode) in [("robot:secret\n", 0o644), ("robot\n", 0o600)] {
        put(text, mode);
        let wrong = plant.run(&[]);
        wrong.assert_refused("E-USAGE", "mirror-login", "");
        assert_eq!(wrong.remedy(), "write USER:PASSWORD into that file, and chmod 600 it");
        assert_eq!(plant.registry.requests(), 0, "nothing is asked");
    }
    let with = std::mem::replace(&mut plant.config, without);
    let none = plant.run(&[]);
    none.assert_refused("E-USAGE", "mirror-login", "");
    assert!(
        none.remedy().starts_with("write USER:PASSWORD into a file of mode 600"),
        "{}",
        none.remedy()
    );
    plant.config = with;
    put("robot:other\n", 0o600);
    plant.run(&[]).assert_refused("E-USAGE", "mirror-login", "");
    put("robot:secret\n", 0o600);
    let copied = plant.run(&[]);
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    assert!(!copied.stderr.contains("secret"));
}

#[test]
fn a_login_goes_to_a_token_service_that_is_named_alone() {
    let other = PushRegistry::start(Behaviour::default());
    let (mut plant, _) = Plant::with_image(Behaviour {
        wants: Some("Bearer T".into()),
        realm: Some(other.host()),
        ..Behaviour::default()
    });
    let login = plant.folder.path().join("login");
    write(&login, b"robot:secret");
    std::fs::set_permissions(&login, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    plant.config += &format!("credentials = \"{}\"\n", login.display());
    let refused = plant.run(&[]);
    refused.assert_refused("E-USAGE", "mirror-token", "");
    assert!(
        refused.remedy().starts_with("where that is right, name its host"),
        "{}",
        refused.remedy()
    );
    assert_eq!(other.requests(), 0);
    plant.config += &format!("token_host = \"{}\"\n", other.host());
    assert_eq!(plant.run(&[]).code, Some(0));
    assert!(other.asked("GET /token?scope=repository") > 0);
    // One on the registry's own host needs no name.
    let own = plant.registry.host();
    plant.registry.behave(|behaviour| behaviour.realm = Some(own));
    plant.config = plant.config.replace("token_host", "# token_host");
    assert_eq!(plant.run(&[]).code, Some(0));
}

#[test]
fn uploads_go_nowhere_but_to_the_registry_that_is_named() {
    let other = PushRegistry::start(Behaviour::default());
    let (plant, _) = Plant::with_image(Behaviour {
        uploads_at: Some(other.host()),
        ..Behaviour::default()
    });
    let refused = plant.run(&[]);
    refused.assert_refused("E-IO", "mirror", "");
    assert!(refused.stderr.contains("sends uploads elsewhere"), "{}", refused.stderr);
    assert_eq!(other.requests(), 0);
}

#[test]
fn an_index_without_a_platform_is_told_where_a_registry_wants_all() {
    let plant = Plant::new(Behaviour {
        wants_children: true,
        ..Behaviour::default()
    });
    let (bytes, [index, amd, _]) = partial(&plant.instance);
    let made = Made {
        bytes,
        manifest: index,
        layers: Vec::new(),
    };
    plant.instance.import(&made, false).unwrap();
    let refused = plant.run(&[]);
    refused.assert_refused("E-IO", "mirror-refused", "");
    assert!(
        refused.stderr.contains("one platform was left out on purpose"),
        "{}",
        refused.stderr
    );
    // Everything else is there.
    assert!(
        plant
            .registry
            .manifest("plant/own/crm/many", &amd.to_string())
            .is_some()
    );
    plant.registry.behave(|behaviour| behaviour.wants_children = false);
    let done = plant.run(&[]);
    assert_eq!(
        (done.code, &done.result["blobs"]),
        (Some(0), &json!(0)),
        "{}",
        done.stderr
    );
    let there = plant.registry.manifest("plant/own/crm/many", "1").unwrap();
    assert_eq!(digest(&there), index);
}

#[test]
fn two_repositories_never_become_one() {
    let (mut plant, _) = Plant::with_image(Behaviour::default());
    let other = plant
        .instance
        .vendor
        .bundle_of("erp", "quay.test/crm/web", 1, &[b"a layer".to_vec()]);
    plant.instance.import(&other, false).unwrap();
    plant.config = plant
        .config
        .replace("\"registry.test=own\"", "\"registry.test=own\", \"quay.test=own\"");
    let refused = plant.run(&[]);
    refused.assert_refused("E-USAGE", "mirror-map", "");
    assert_eq!(refused.remedy(), "change [mirror] map in the configuration");
    assert_eq!(plant.registry.requests(), 0);
    plant.config = plant.config.replace("quay.test=own", "quay.test=quay");
    assert_eq!(plant.run(&[]).code, Some(0));
    assert!(plant.registry.manifest("plant/quay/crm/web", "latest").is_some());
}

/// A release of an image and of something that refers to it: the digests of both.
fn signed(instance: &InProcessAppliance) -> (Made, [Digest; 2]) {
    let mut blobs = BTreeMap::new();
    let mut put = |bytes: &[u8], media_type: &str| {
        blobs.insert(digest(bytes), bytes.to_vec());
        let size = bytes.len();
        format!(
            r#"{{"mediaType":"{media_type}","digest":"{}","size":{size}}}"#,
            digest(bytes)
        )
    };
    let config = put(
        br#"{"architecture":"amd64","os":"linux"}"#,
        "application/vnd.oci.image.config.v1+json",
    );
    let layer = put(b"a layer", "application/vnd.oci.image.layer.v1.tar");
    let empty = put(b"{}", "application/vnd.oci.empty.v1+json");
    let payload = put(b"a signature", "application/vnd.example.signature");
    let kind = oci::OCI_MANIFEST;
    let image = format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{config},"layers":[{layer}]}}"#);
    let subject = digest(image.as_bytes());
    let signature = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","artifactType":"application/vnd.example.signature","config":{empty},"layers":[{payload}],"subject":{{"mediaType":"{kind}","digest":"{subject}","size":{}}},"annotations":{{"by":"us"}}}}"#,
        image.len()
    );
    let about = digest(signature.as_bytes());
    let line = |digest: Digest, size: usize, tag: Option<&str>| TagLine {
        digest,
        media_type: kind.into(),
        repository: REPOSITORY.parse().unwrap(),
        size: size as u64,
        tag: tag.map(|tag| tag.parse().unwrap()),
    };
    let content = BundleContent {
        tags: vec![
            line(about, signature.len(), None),
            line(subject, image.len(), Some("1")),
        ],
        manifests: BTreeMap::from([(subject, image.into_bytes()), (about, signature.into_bytes())]),
        absent: BTreeMap::new(),
        documents: Vec::new(),
        requires: BTreeSet::new(),
    };
    let made = Made {
        bytes: instance.vendor.bundle_with(1, content, blobs),
        manifest: subject,
        layers: Vec::new(),
    };
    (made, [subject, about])
}

#[test]
fn what_refers_to_an_image_is_found_there_whatever_the_registry_keeps() {
    for keeps_referrers in [true, false] {
        let plant = Plant::new(Behaviour {
            keeps_referrers,
            ..Behaviour::default()
        });
        let (made, [subject, about]) = signed(&plant.instance);
        plant.instance.import(&made, false).unwrap();
        let copied = plant.run(&[]);
        assert_eq!(copied.code, Some(0), "{}", copied.stderr);
        assert!(plant.registry.manifest(THERE, &about.to_string()).is_some());
        let tag = subject.to_string().replace(':', "-");
        let list = plant.registry.manifest(THERE, &tag);
        assert_eq!(copied.result["referrer_lists"], json!(u8::from(!keeps_referrers)));
        if keeps_referrers {
            assert_eq!(list, None, "its own account is enough");
            continue;
        }
        let list: serde_json::Value = serde_json::from_str(&String::from_utf8(list.unwrap()).unwrap()).unwrap();
        let entry = &list["manifests"][0];
        assert_eq!(entry["digest"], about.to_string());
        assert_eq!(
            (&entry["artifactType"], &entry["annotations"]["by"]),
            (&json!("application/vnd.example.signature"), &json!("us"))
        );
        // Once, however often it is copied.
        let again = plant.run(&[]);
        assert_eq!(
            (again.code, &again.result["referrer_lists"]),
            (Some(0), &json!(0)),
            "{}",
            again.stderr
        );
    }
}
