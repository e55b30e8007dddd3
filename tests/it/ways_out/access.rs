//! Credentials for people and machines: they read what they name, across no scope, and are refused the moment they are removed.

use airlock::appliance::access::NewAccess;
use airlock::domain::Class;
use airlock::http::Settings;
use serde_json::json;

use crate::support::agents::{Serving, basic, credentials};
use crate::support::appliance::{AIRLOCK, Ended, audit_actions};
use crate::support::bundles::{Made, REPOSITORY, SMALL_CHUNKS};
use crate::support::client::Reply;
use crate::support::desired::Desired;
use crate::support::in_process::InProcessAppliance;
use crate::support::site::{Site, noise};

const AGENT: &str = "registry.test/distr/docker-agent";

/// Two products with the same repository and tag, and what each has there.
fn two_products(settings: Settings) -> (Serving, [Made; 2]) {
    let instance = InProcessAppliance::new();
    let crm = instance
        .vendor
        .with_targets_of("crm", 1, |image| Desired::docker(image, 1, "a"));
    let erp = instance
        .vendor
        .bundle_of("erp", REPOSITORY, 2, &[noise(70_000, 1), b"a layer of erp".to_vec()]);
    for made in [&crm, &erp] {
        instance.import(made, false).unwrap();
    }
    (Serving::start(instance, settings), [crm, erp])
}

/// Makes a credential, which the server knows from then on.
fn add(serving: &Serving, name: &str, patterns: &[&str]) -> String {
    let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    let name = name.parse().unwrap();
    let appliance = serving.hub.live().appliance();
    let (secret, _) = appliance
        .add_access(NewAccess {
            name: &name,
            patterns: &patterns,
        })
        .unwrap();
    secret.as_str().to_owned()
}

fn get(serving: &Serving, path: &str, secret: &str) -> Reply {
    let header = basic("anybody", secret);
    serving.send("GET", path, &[("Authorization", &header)], b"")
}

fn manifest(serving: &Serving, repository: &str, reference: &str, secret: &str) -> Reply {
    get(serving, &format!("/v2/{repository}/manifests/{reference}"), secret)
}

#[test]
fn a_credential_reads_the_scope_and_the_repositories_that_it_names() {
    let (serving, [crm, erp]) = two_products(credentials());
    let all = add(&serving, "all", &["crm/stable:*"]);
    let one = add(&serving, "one", &["erp/stable:registry.test/crm/*"]);
    let other = add(&serving, "other", &["crm/stable:registry.test/distr/*"]);
    assert_eq!(get(&serving, "/v2/", &all).status, 200);
    // The same tag is another image to each.
    for (secret, made) in [(&all, &crm), (&one, &erp)] {
        let latest = manifest(&serving, REPOSITORY, "latest", secret);
        assert_eq!(
            latest.header("docker-content-digest"),
            Some(made.manifest.to_string().as_str()),
            "{latest:?}"
        );
        let layer = format!("/v2/{REPOSITORY}/blobs/{}", made.layers[0]);
        assert_eq!(get(&serving, &layer, secret).status, 200);
        // By its short name too, under the home host of that scope.
        assert_eq!(manifest(&serving, "crm/web", "latest", secret).status, 200);
    }
    // Another scope's digest is nothing here.
    let foreign = manifest(&serving, REPOSITORY, &erp.manifest.to_string(), &all);
    assert_eq!((foreign.status, foreign.code().as_str()), (404, "MANIFEST_UNKNOWN"));
    // Nor is what lies outside of the pattern, by tag, digest, list or referrer: as if it were not here.
    for path in [
        format!("/v2/{REPOSITORY}/manifests/latest"),
        format!("/v2/{REPOSITORY}/manifests/{}", crm.manifest),
        format!("/v2/{REPOSITORY}/blobs/{}", crm.layers[0]),
        format!("/v2/{REPOSITORY}/tags/list"),
        "/v2/crm/web/manifests/latest".to_owned(),
        "/v2/crm/web/manifests/latest?ns=registry.test".to_owned(),
    ] {
        let reply = get(&serving, &path, &other);
        let never = get(&serving, &path.replace("crm/web", "crm/no-such"), &other);
        assert_eq!((reply.status, &reply.body), (404, &never.body), "{path}");
    }
    assert_eq!(manifest(&serving, AGENT, "3.1.0", &other).status, 200);
    let listed = |secret: &str| get(&serving, "/v2/_catalog", secret).json()["repositories"].clone();
    assert_eq!(
        listed(&other),
        json!([
            "registry.test/distr/docker-agent",
            "registry.test/distr/docker-autoheal",
            "registry.test/distr/kubernetes-agent"
        ])
    );
    assert_eq!(listed(&one), json!([REPOSITORY]));
    // A page of one, from the first on.
    let page = get(&serving, "/v2/_catalog?n=1", &other);
    assert_eq!(page.json()["repositories"], json!(["registry.test/distr/docker-agent"]));
    assert!(page.header("link").unwrap().contains("last="), "{page:?}");
}

#[test]
fn several_patterns_are_asked_in_their_order() {
    let (serving, [crm, erp]) = two_products(credentials());
    let both = add(&serving, "both", &["erp/stable:*", "crm/stable:*"]);
    let latest = manifest(&serving, REPOSITORY, "latest", &both);
    assert_eq!(
        latest.header("docker-content-digest"),
        Some(erp.manifest.to_string().as_str())
    );
    for made in [&crm, &erp] {
        assert_eq!(
            manifest(&serving, REPOSITORY, &made.manifest.to_string(), &both).status,
            200
        );
    }
    // Asked once more, from memory.
    let latest = manifest(&serving, REPOSITORY, "latest", &both);
    assert_eq!(
        latest.header("docker-content-digest"),
        Some(erp.manifest.to_string().as_str())
    );
    assert_eq!(manifest(&serving, REPOSITORY, "v1", &both).status, 200);
    let tags = get(&serving, &format!("/v2/{REPOSITORY}/tags/list"), &both).json();
    assert_eq!(tags["tags"], json!(["latest", "v1", "v2"]));
    let missing = manifest(&serving, REPOSITORY, "v9", &both);
    assert_eq!((missing.status, missing.code().as_str()), (404, "MANIFEST_UNKNOWN"));
}

#[test]
fn what_was_removed_is_refused_at_once_also_what_the_token_service_gave() {
    const DOCKERD: (&str, &str) = ("User-Agent", "docker/20.10.24 go/go1.19.8 os/linux arch/amd64");
    let (serving, _) = two_products(credentials());
    let secret = add(&serving, "ops", &["crm/stable:*"]);
    let kept = add(&serving, "kept", &["crm/stable:*"]);
    let header = basic("ops", &secret);
    let granted = serving.send(
        "GET",
        "/v2/token?service=airlock",
        &[DOCKERD, ("Authorization", &header)],
        b"",
    );
    let token = format!("Bearer {}", granted.json()["token"].as_str().unwrap());
    let path = format!("/v2/{REPOSITORY}/manifests/latest");
    let by_token = || {
        serving
            .send("GET", &path, &[DOCKERD, ("Authorization", &token)], b"")
            .status
    };
    assert_eq!((by_token(), get(&serving, &path, &secret).status), (200, 200));
    let appliance = serving.hub.live().appliance();
    appliance.remove_access(&"ops".parse().unwrap()).unwrap();
    assert_eq!((by_token(), get(&serving, &path, &secret).status), (401, 401));
    assert_eq!(get(&serving, &path, &kept).status, 200);
    // Nor is it good for anything else: not for an agent, not for how the appliance is.
    for secret in [&secret, &kept] {
        let bearer = format!("Bearer {secret}");
        let reply = serving.send("GET", "/api/v1/agent/resources", &[("Authorization", &bearer)], b"");
        assert_eq!(reply.status, 401);
    }
}

#[test]
fn where_an_address_may_read_a_shown_credential_counts_all_the_same() {
    let (serving, [crm, _]) = two_products(Settings::default());
    let secret = add(&serving, "ops", &["erp/stable:*"]);
    let digest = crm.manifest.to_string();
    assert_eq!(manifest(&serving, REPOSITORY, &digest, &secret).status, 404);
    assert_eq!(
        serving
            .send("GET", &format!("/v2/{REPOSITORY}/manifests/{digest}"), &[], b"")
            .status,
        200
    );
    assert_eq!(manifest(&serving, REPOSITORY, &digest, &"0".repeat(32)).status, 401);
}

fn run(instance: &InProcessAppliance, words: &[&str]) -> Ended {
    let mut command = std::process::Command::new(AIRLOCK);
    command.args(["--format", "json", "access"]).args(words);
    command.arg("--state").arg(instance.state());
    Ended::of(&command.output().unwrap())
}

#[test]
fn commands_make_list_and_remove_them() {
    let instance = InProcessAppliance::new();
    let made = run(
        &instance,
        &[
            "add",
            "ops",
            "--read",
            "crm/stable:*",
            "--read",
            "erp/stable:registry.test/erp/*",
        ],
    );
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let secret = made.result["secret"].as_str().unwrap().to_owned();
    assert!(
        secret.len() == 32 && secret.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{secret}"
    );
    let listed = run(&instance, &["list"]);
    assert_eq!(listed.result["access"][0]["name"], "ops");
    assert_eq!(
        listed.result["access"][0]["read"][1]["repositories"],
        "registry.test/erp/*"
    );
    assert!(!listed.result.to_string().contains(&secret));
    // Nowhere in the state folder, and not in the log.
    let database = std::process::Command::new("grep")
        .args(["-rc", &secret])
        .arg(instance.state())
        .output()
        .unwrap();
    assert!(
        !String::from_utf8_lossy(&database.stdout)
            .lines()
            .any(|line| !line.ends_with(":0"))
    );
    run(&instance, &["add", "ops", "--read", "crm/stable:*"]).assert_refused("E-USAGE", "access", "");
    assert_eq!(run(&instance, &["remove", "ops"]).code, Some(0));
    assert_eq!(run(&instance, &["list"]).result["access"], json!([]));
    run(&instance, &["remove", "ops"]).assert_refused("E-USAGE", "access", "");
    let actions = audit_actions(&instance.state());
    assert_eq!(&actions[actions.len() - 2..], ["access-add", "access-remove"]);
}

#[test]
fn patterns_name_what_is_trusted_here() {
    let instance = InProcessAppliance::new();
    let before = audit_actions(&instance.state());
    for pattern in [
        "crm/stable",
        "*",
        "crm:*",
        "crm/stable:",
        "crm/stable:registry.test/*/web",
        "crm/stable:web",
        "other/stable:*",
        "Nobody/crm/stable:*",
        "0123456789/crm/stable:*",
    ] {
        let refused = run(&instance, &["add", "ops", "--read", pattern]);
        refused.assert_refused("E-USAGE", "access", "");
    }
    assert_eq!(audit_actions(&instance.state()), before);
    let domain = instance.vendor.chain().domain().to_hex();
    let vendor = instance.vendor.chain().newest().vendor.clone();
    for (name, whose) in [("by-digits", &domain[..8]), ("by-name", vendor.as_str())] {
        let pattern = format!("{whose}/crm/stable:docker.io/library/alpine");
        let made = run(&instance, &["add", name, "--read", &pattern]);
        assert_eq!(made.result["read"][0]["domain"], domain.as_str(), "{}", made.stderr);
    }
}

#[test]
fn a_channel_without_a_release_is_told_and_taken() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.bundle(1, &[b"a layer".to_vec()], SMALL_CHUNKS);
    instance.import(&made, false).unwrap();
    let mistyped = run(&instance, &["add", "ops", "--read", "crm/stabel:*"]);
    assert_eq!(mistyped.code, Some(0), "{}", mistyped.stderr);
    let told = "no release of crm/stabel is here: ops reads nothing of it until one is live; did you mean crm/stable?";
    assert!(mistyped.stderr.contains(told), "{}", mistyped.stderr);
    let right = run(&instance, &["add", "right", "--read", "crm/stable:*"]);
    assert!(
        right.code == Some(0) && !right.stderr.contains("is here:"),
        "{}",
        right.stderr
    );
}

#[test]
fn of_two_vendors_with_one_product_the_digits_say_which() {
    let site = Site::of_vendors(2);
    let appliance = site.appliance().unwrap();
    let name = "ops".parse().unwrap();
    let add = |pattern: String| {
        let patterns = [pattern];
        appliance.add_access(NewAccess {
            name: &name,
            patterns: &patterns,
        })
    };
    let error = add("erp/stable:*".to_owned()).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Usage, "access"));
    assert!(
        error
            .advice()
            .unwrap()
            .starts_with("put the first 8 digits of the vendor's trust domain before it")
    );
    let domain = site.domain(1);
    let (_, access) = add(format!("{}/erp/stable:*", &domain.to_hex()[..8])).unwrap();
    assert_eq!(access.grants[0].scope.domain, domain);
}

#[test]
fn what_is_mistyped_is_put_right_as_the_messages_say() {
    let instance = InProcessAppliance::new();
    assert_eq!(run(&instance, &["add", "ops", "--read", "crm/stable:*"]).code, Some(0));
    let meant = run(&instance, &["remove", "osp"]).remedy();
    assert_eq!(meant, "did you mean ops?");
    let taken = run(&instance, &["add", "ops", "--read", "crm/stable:*"]).remedy();
    let command = taken.split('`').nth(1).unwrap();
    let words: Vec<&str> = command.split(' ').skip(2).take(2).collect();
    assert_eq!(run(&instance, &words).code, Some(0), "{taken}");
    let none = run(&instance, &["remove", "something-else"]).remedy();
    assert!(none.starts_with("nothing is to be done"), "{none}");
    let form = run(&instance, &["add", "ops", "--read", "crm"]).remedy();
    assert!(
        form.starts_with("name vendor, product, channel and repositories"),
        "{form}"
    );
    assert_eq!(
        run(&instance, &["add", "ops", "--read", "crm/stable:registry.test/*"]).code,
        Some(0)
    );
}
