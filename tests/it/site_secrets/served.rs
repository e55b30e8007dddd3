//! What agents get: values in their places, under revisions that only they are told, the right way or not at all.

use airlock::appliance::secret::{AskedSecret, Replaces};
use airlock::appliance::status::{Doubt, Running};
use airlock::bundle::desired::SecretSource;
use airlock::db::site::targets::Undeploy;
use airlock::domain::{Class, SecretValue, Uuid};
use airlock::http::Settings;
use base64::Engine as _;
use serde_json::Value;
use zeroize::Zeroizing;

use super::world::{
    Uses, application, ask, files, generate, release, revision, sealed, sealed_release, sealed_with_places, with_places,
};
use crate::support::agents::{Serving, credentials, text};
use crate::support::appliance::{wait_for, write};
use crate::support::bundles::Made;
use crate::support::client::{Reply, get};
use crate::support::in_process::InProcessAppliance;

use crate::support::tls;

/// What a compose file must get back, and what a shell would not.
const HARD: &str = " $HOME # '\"\\ {{ .Secrets.API_KEY }} registry.airlock.internal %:\u{1f600}\nend ";

fn set(serving: &Serving, name: &str, target: Option<&str>, value: &str) {
    let appliance = serving.hub.live().appliance();
    let name = name.parse().unwrap();
    let asked = AskedSecret {
        name: &name,
        target,
        product: None,
        channel: None,
        vendor: None,
    };
    let view = appliance.find_secret(&asked).unwrap();
    let value = SecretValue::new(Zeroizing::new(value.as_bytes().to_vec()))
        .ok()
        .unwrap();
    appliance
        .set_secret(&view, value, Replaces::Any, appliance.clock.now(), &mut |_| Ok(true))
        .unwrap();
    serving.hub.refresh().unwrap();
}

/// A site where `edge-0` and `edge-1` share one secret, and `edge-1` has another one beside.
fn serving() -> (Serving, Made, Vec<Uses>) {
    let uses = vec![
        ask("edge-0", "API_KEY", false),
        ask("edge-1", "API_KEY", false),
        ask("edge-1", "SMTP_PASSWORD", true),
    ];
    let instance = InProcessAppliance::new();
    let made = release(&instance.vendor, 1, "a", &uses);
    instance.import(&made, false).unwrap();
    let serving = Serving::start(instance, Settings::default());
    set(&serving, "API_KEY", None, HARD);
    set(&serving, "SMTP_PASSWORD", Some("edge-1"), "CANARY-smtp");
    (serving, made, uses)
}

fn ask_resources(serving: &Serving, token: &str) -> Value {
    let reply = serving.agent(token, "GET", "resources", "");
    assert_eq!(reply.status, 200, "{}", text(&reply));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.json()
}

fn compose(answer: &Value) -> String {
    let encoded = answer["deployments"][0]["composeFile"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn told(answer: &Value) -> Uuid {
    answer["deployments"][0]["revisionId"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn values_stand_in_their_places_and_only_their_deployments_move_with_them() {
    let (serving, made, uses) = serving();
    let tokens = [serving.token("edge-0"), serving.token("edge-1")];
    let before = tokens.each_ref().map(|token| ask_resources(&serving, token));
    let first = compose(&before[0]);
    let escaped = r#"API_KEY: "< $$HOME # '\"\\ {{ .Secrets.API_KEY }} registry.airlock.internal %:😀\nend >""#;
    assert!(first.contains(escaped), "{first}");
    assert!(compose(&before[1]).contains("SMTP_PASSWORD: \"<CANARY-smtp>\""));
    for (answer, target) in before.iter().zip(["edge-0", "edge-1"]) {
        assert_ne!(told(answer), revision(&made, target, "a", &uses));
        assert!(told(answer).is_derived());
    }
    // The same again, byte for byte.
    assert_eq!(ask_resources(&serving, &tokens[0]), before[0]);

    set(&serving, "SMTP_PASSWORD", Some("edge-1"), "another");
    assert_eq!(told(&ask_resources(&serving, &tokens[0])), told(&before[0]));
    let rotated = told(&ask_resources(&serving, &tokens[1]));
    assert_ne!(rotated, told(&before[1]));
    set(&serving, "SMTP_PASSWORD", Some("edge-1"), "CANARY-smtp");
    assert_eq!(
        told(&ask_resources(&serving, &tokens[1])),
        told(&before[1]),
        "the same values, the same revision"
    );
}

#[test]
fn what_agents_report_is_booked_under_the_signed_revision() {
    let (serving, made, uses) = serving();
    let signed = revision(&made, "edge-0", "a", &uses);
    let token = serving.token("edge-0");
    let first = told(&ask_resources(&serving, &token));
    let report = |revision: Uuid| {
        let body =
            format!(r#"{{"revisionId":"{revision}","type":"healthy","message":"status check results: 1 healthy"}}"#);
        serving.agent(&token, "POST", "status", &body).status
    };
    assert_eq!(report(first), 200);
    assert_eq!(report(Uuid::derived("site-revision", &["foreign"])), 400);
    let known = serving
        .hub
        .known_revision(&crate::support::desired::target_id("edge-0"), &first)
        .unwrap()
        .unwrap();
    assert_eq!((known.revision, known.counter.sequence), (signed, 1));
    let revisions = serving.hub.site_revisions().unwrap();
    let stated = |serving: &Serving| {
        let all = serving.status.overview().unwrap();
        let own = all.into_iter().flat_map(|target| target.deployments);
        let own = own
            .into_iter()
            .find(|one| one.deployment == application("edge-0"))
            .unwrap();
        own.in_stated_revisions(&serving.hub.site_revisions().unwrap())
    };
    assert_eq!(stated(&serving).runs, Running::Revision(signed));
    assert_eq!(stated(&serving).latest.unwrap().revision, signed);
    assert_eq!(revisions.stated(&application("edge-0"), &first), signed);

    // With another value what runs is in doubt until the agent has it; what it says of the old one is still its own.
    set(&serving, "API_KEY", None, "another");
    assert_eq!(stated(&serving).runs, Running::Unknown(Doubt::Before));
    let second = told(&ask_resources(&serving, &token));
    assert_ne!(second, first);
    assert_eq!((report(first), report(second)), (200, 200));
    assert_eq!(stated(&serving).runs, Running::Revision(signed));
}

#[test]
fn secrets_go_over_tls_or_to_this_machine_alone() {
    let (serving, ..) = serving();
    let token = serving.token("edge-0");
    let bearer = format!("Bearer {token}");
    let asked = |more: &[(&str, &str)]| -> Reply {
        let headers: Vec<_> = [("Authorization", bearer.as_str())]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        serving.send("GET", "/api/v1/agent/resources", &headers, b"")
    };
    for header in ["Forwarded", "X-Forwarded-For", "Via"] {
        let reply = asked(&[(header, "for=192.0.2.7")]);
        assert_eq!((reply.status, text(&reply)), (503, "E-STATE secret-way\n"), "{header}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    assert_eq!(asked(&[]).status, 200);
    // Over TLS, as the message says, it comes also through a proxy.
    let instance = serving.stop();
    let serving = Serving::start(
        instance,
        Settings {
            tls: credentials().tls,
            ..Settings::default()
        },
    );
    let config = tls::trusting(serving.authority.as_ref().unwrap().certificate_pem());
    let headers = format!(
        "Authorization: Bearer {}\r\nVia: 1.1 proxy\r\n",
        serving.token("edge-0")
    );
    let address = serving.running.tls_addresses()[0];
    let reply = tls::get(&config, address, "/api/v1/agent/resources", &headers);
    assert_eq!(reply.status, 200, "{}", text(&reply));
    assert!(compose(&reply.json()).contains("API_KEY"));
    // What holds no secret goes every way that is configured.
    let plain = Serving::two_targets();
    let token = plain.token("edge-0");
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Via", "1.1 proxy")];
    assert_eq!(plain.send("GET", "/api/v1/agent/resources", &headers, b"").status, 200);
}

#[test]
fn a_value_that_cannot_be_read_ends_its_targets_answers_alone() {
    let (serving, ..) = serving();
    let tokens = [serving.token("edge-0"), serving.token("edge-1")];
    let state = serving.instance.state();
    let names = files(&state);
    assert_eq!(names.len(), 2);
    // Each in the other's place: both open, and neither is what its row says.
    let path = |name: &str| state.join("secrets").join(name);
    let bytes = names
        .iter()
        .map(|name| crate::support::appliance::read(&path(name)))
        .collect::<Vec<_>>();
    let answers = |serving: &Serving| {
        tokens
            .each_ref()
            .map(|token| serving.agent(token, "GET", "resources", "").status)
    };
    assert_eq!(answers(&serving), [200, 200]);
    for (name, other) in names.iter().zip(bytes.iter().rev()) {
        write(&path(name), other);
    }
    let instance = serving.stop();
    let serving = Serving::start(instance, Settings::default());
    let tokens = [serving.token("edge-0"), serving.token("edge-1")];
    let reply = serving.agent(&tokens[0], "GET", "resources", "");
    assert_eq!((reply.status, text(&reply)), (503, "E-STATE secret\n"));
    assert_eq!(serving.agent(&tokens[1], "GET", "resources", "").status, 503);
    let ready = get(serving.address, "/readyz");
    let problems = ready.json()["problems"].as_array().unwrap().clone();
    assert_eq!((ready.status, problems.len()), (503, 1), "{problems:?}");
    assert!(
        problems
            .iter()
            .all(|problem| problem["part"] == "targets" && problem["remedy"] != "")
    );
    // And `airlock doctor` tells of both, before anybody asks.
    let told = || {
        let found =
            airlock::appliance::doctor::examine(&state, airlock::domain::Clock::now(&airlock::domain::SystemClock));
        let of_secrets = found.into_iter().filter(|finding| finding.part == "secrets");
        of_secrets
            .map(|finding| finding.error.map(|(_, code)| code))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(), [Some("secret-file"), Some("secret-file")]);
    // Entered again, they are answered again.
    set(&serving, "API_KEY", None, "again");
    assert_eq!(serving.agent(&tokens[0], "GET", "resources", "").status, 200);
    assert_eq!(serving.agent(&tokens[1], "GET", "resources", "").status, 503);
    set(&serving, "SMTP_PASSWORD", Some("edge-1"), "again");
    assert_eq!(told(), [None]);
    assert_eq!(serving.agent(&tokens[1], "GET", "resources", "").status, 200);
    wait_for("a good word", || get(serving.address, "/readyz").status == 200);
}

#[test]
fn a_target_made_here_has_values_of_its_own() {
    let (serving, ..) = serving();
    let template = crate::support::desired::target_id("edge-1");
    let own = serving.hub.add_target("edge-9", &template).unwrap();
    let secret = serving.hub.issue_secret(&own, false).unwrap();
    let reply = serving.login(&own, secret.as_str());
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    let reply = serving.agent(&token, "GET", "resources", "");
    assert_eq!((reply.status, text(&reply)), (503, "E-STATE secret\n"));
    let error = serving
        .hub
        .resources(&serving.hub.identify(&token).unwrap())
        .unwrap_err();
    assert_eq!(
        error.advice(),
        Some("enter it: `airlock secret set SMTP_PASSWORD --target edge-9 --product crm`")
    );
    set(&serving, "SMTP_PASSWORD", Some("edge-9"), "of edge-9");
    let answer = ask_resources(&serving, &token);
    assert!(compose(&answer).contains("SMTP_PASSWORD: \"<of edge-9>\""));
    let template = ask_resources(&serving, &serving.token("edge-1"));
    assert_ne!(told(&answer), told(&template));
}

#[test]
fn what_is_made_for_each_target_is_made_for_a_new_one_too() {
    let mut own = generate("edge-0", "SESSION_KEY", Some(8));
    own.secret.per_target = true;
    let instance = InProcessAppliance::new();
    let made = release(&instance.vendor, 1, "a", &[own]);
    instance.import(&made, false).unwrap();
    let serving = Serving::start(instance, Settings::default());
    let template = crate::support::desired::target_id("edge-0");
    let target = serving.hub.add_target("edge-9", &template).unwrap();
    let secret = serving.hub.issue_secret(&target, false).unwrap();
    let token = serving.login(&target, secret.as_str()).json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let (new, first) = (
        ask_resources(&serving, &token),
        ask_resources(&serving, &serving.token("edge-0")),
    );
    let value = |answer: &Value| compose(answer).split("SESSION_KEY: \"<").nth(1).unwrap()[..8].to_owned();
    assert_ne!(value(&new), value(&first));
    assert_eq!(files(&serving.instance.state()).len(), 2);
}

#[test]
fn sealed_values_are_served_and_a_release_without_them_is_refused() {
    let uses = [
        sealed("edge-0", "LICENCE", false),
        sealed("edge-1", "LICENCE", false),
        sealed("edge-1", "OWN", true),
    ];
    let instance = InProcessAppliance::new();
    let made = |seal: Option<&[(&str, Option<&str>, &str)]>| sealed_release(&instance, 1, &uses, seal);
    let error = instance.import(&made(None), false).unwrap_err();
    assert_eq!((error.class().name(), error.code()), ("E-POLICY", "secrets-missing"));
    let partly = made(Some(&[("LICENCE", None, "CANARY-licence")]));
    assert_eq!(instance.import(&partly, false).unwrap_err().code(), "secrets-missing");
    let own = ("OWN", Some("edge-1"), "CANARY-own");
    let whole = made(Some(&[("LICENCE", None, "CANARY-licence"), own]));
    instance.import(&whole, false).unwrap();
    let serving = Serving::start(instance, Settings::default());
    let answer = ask_resources(&serving, &serving.token("edge-1"));
    for part in ["LICENCE: \"<CANARY-licence>\"", "OWN: \"<CANARY-own>\""] {
        assert!(compose(&answer).contains(part), "{part}");
    }
    // Nobody enters what the vendor seals.
    let appliance = serving.hub.live().appliance();
    let views = appliance.secrets().unwrap();
    let sealed = views.iter().filter(|view| view.is_here);
    assert_eq!(sealed.clone().count(), 2);
    for view in sealed {
        assert_eq!(view.declared.as_ref().unwrap().source, SecretSource::Sealed);
        let error = appliance.check_settable(view).unwrap_err();
        assert_eq!(error.code(), "secret-sealed");
        assert_eq!(
            error.advice(),
            Some("ask the vendor for a release with another value, and import it")
        );
    }
    let next = sealed_release(
        &serving.instance,
        2,
        &uses,
        Some(&[("LICENCE", None, "CANARY-next"), own]),
    );
    serving.instance.import(&next, false).unwrap();
    serving.hub.refresh().unwrap();
    let after = ask_resources(&serving, &serving.token("edge-1"));
    assert!(compose(&after).contains("LICENCE: \"<CANARY-next>\""));
    // Both releases say the same but for the value: the signed revision stayed, and the agent is told another one.
    assert_ne!(told(&after), told(&answer));
}

#[test]
fn what_values_make_too_large_is_not_sent_and_shorter_ones_are() {
    let uses = [ask("edge-0", "API_KEY", false)];
    let instance = InProcessAppliance::new();
    let (few, many) = (
        release(&instance.vendor, 1, "a", &uses),
        with_places(&instance.vendor, 2, &uses, 70),
    );
    instance.import(&few, false).unwrap();
    let serving = Serving::start(instance, Settings::default());
    // In the documents of the release that is live it is not too large; the next one has more places.
    set(&serving, "API_KEY", None, &"x".repeat(65_536));
    let token = serving.token("edge-0");
    assert_eq!(serving.agent(&token, "GET", "resources", "").status, 200);
    let before = ask_resources(&serving, &token);
    serving.instance.import(&many, false).unwrap();
    serving.hub.refresh().unwrap();
    // It waits, and what is live goes on whole.
    assert_eq!(told(&ask_resources(&serving, &token)), told(&before));
    let ready: Value = get(serving.address, "/readyz").json();
    let waits = ready["waiting"][0]["secrets"][0].as_str().unwrap();
    assert!(
        waits.starts_with("API_KEY, with which \"edge-0\" shall run up to "),
        "{ready}"
    );
    // With a shorter value it goes live.
    set(&serving, "API_KEY", None, "short");
    assert_ne!(told(&ask_resources(&serving, &token)), told(&before));
}

/// No `create` of ours makes such a release.
#[test]
fn what_a_sealed_value_makes_too_large_is_for_the_vendor_to_mend() {
    let instance = InProcessAppliance::new();
    let uses = [sealed("edge-0", "API_KEY", false)];
    let of =
        |sequence, value: &str| sealed_with_places(&instance, sequence, &uses, Some(&[("API_KEY", None, value)]), 70);
    instance.import(&of(1, &"x".repeat(65_536)), false).unwrap();
    let appliance = instance.appliance();
    let waiting = appliance.waiting_releases().unwrap();
    assert!(waiting[0].missing[0].sealed && waiting[0].missing[0].too_large.is_some());
    let head = waiting[0].release.head;
    let error = appliance
        .activate(head, Undeploy::AsSigned, appliance.clock.now())
        .unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Limit, "rendered"));
    assert!(
        error
            .advice()
            .unwrap()
            .starts_with("ask the vendor for a release with a shorter value")
    );
    instance.import(&of(2, "short"), false).unwrap();
    assert!(appliance.waiting_releases().unwrap().is_empty());
}

#[test]
fn what_changed_since_a_secret_was_looked_at_is_not_replaced_unseen() {
    let instance = InProcessAppliance::new();
    let uses = [ask("edge-0", "API_KEY", false)];
    instance
        .import(&release(&instance.vendor, 1, "a", &uses), false)
        .unwrap();
    let appliance = instance.appliance();
    let now = || appliance.clock.now();
    let name = "API_KEY".parse().unwrap();
    let look = || {
        let asked = AskedSecret {
            name: &name,
            target: None,
            product: None,
            channel: None,
            vendor: None,
        };
        appliance.find_secret(&asked).unwrap()
    };
    let value = |text: &str| SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).ok().unwrap();
    let none = look();
    appliance
        .set_secret(&none, value("first"), Replaces::Seen, now(), &mut |_| Ok(true))
        .unwrap();
    let kept = files(&instance.state());
    let acts: [&dyn Fn() -> airlock::domain::Error; 3] = [
        &|| {
            appliance
                .set_secret(&none, value("second"), Replaces::Seen, now(), &mut |_| Ok(true))
                .unwrap_err()
        },
        &|| {
            appliance
                .generate_secret(&none, Replaces::Seen, now(), &mut |_| Ok(true))
                .unwrap_err()
        },
        &|| appliance.forget_secret(&none, Replaces::Seen, now()).unwrap_err(),
    ];
    for act in acts {
        let error = act();
        assert_eq!((error.class(), error.code()), (Class::Busy, "secret-changed"));
        assert_eq!(files(&instance.state()), kept);
    }
    // As the refusal says, and as it was seen.
    let act = appliance
        .set_secret(&none, value("second"), Replaces::Any, now(), &mut |_| Ok(true))
        .unwrap();
    assert!(act.replaced);
    let seen = look();
    assert!(
        appliance
            .set_secret(&seen, value("third"), Replaces::Seen, now(), &mut |_| Ok(true))
            .unwrap()
            .replaced
    );
    // A release came meanwhile that seals its own: one from here would not be used.
    let seals = [sealed("edge-0", "API_KEY", false)];
    let next = sealed_release(&instance, 2, &seals, Some(&[("API_KEY", None, "of the vendor")]));
    instance.import(&next, false).unwrap();
    let kept = files(&instance.state());
    let error = appliance
        .set_secret(&seen, value("late"), Replaces::Any, now(), &mut |_| Ok(true))
        .unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Usage, "secret-sealed"));
    assert_eq!(files(&instance.state()), kept);
}
