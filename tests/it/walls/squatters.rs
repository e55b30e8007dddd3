//! Who was there before A: what B can take, what it cannot, and how the site gives it back (K23).

use airlock::appliance::Options;
use airlock::domain::Uuid;

use super::case::{Case, Expect, Story, Theatre, What, word};
use super::fleet::deployment_id;
use super::forge::Goods;
use super::guest::{self, Scene, own};
use super::neighbour::{HOST, Issue, Neighbour, WEB};
use super::stage::{Ground, Mode, Stage};
use super::wire::Wire;
use super::world::token_of;
use crate::support::agents::basic;
use crate::support::desired::HUB_SECRET;
use crate::support::site::digest;

pub(super) fn cases() -> Vec<Case> {
    let stories: [(&str, Story); 6] = [
        ("squats a target of the hub before A comes", |theatre| {
            squatted(theatre, words(Neighbour::hub_target()), false)
        }),
        ("squats a target of the hub before A comes, kept inactive", |theatre| {
            squatted(theatre, words(Neighbour::hub_target()), true)
        }),
        ("squats a deployment of the hub before A comes", |theatre| {
            let (target, _) = own(&theatre.b, "app", "stable", "b-1");
            squatted(theatre, (target, Neighbour::hub_deployment()), false)
        }),
        ("squats A's derivation before A comes", |theatre| {
            let press = theatre.a.press();
            derived(theatre, words(press))
        }),
        ("names A's targets as removed before A comes", removed_before),
        ("has A's tag before A comes", tag_before),
    ];
    let case = |(name, story): (&str, Story)| Case {
        name: name.to_owned(),
        ground: Ground::Empty,
        slow: false,
        what: What::Story(story),
    };
    stories.into_iter().map(case).collect()
}

fn words(target: Uuid) -> (Uuid, Uuid) {
    (target, deployment_id(target, "web"))
}

fn expect(what: &str, found: &str, expected: Expect, wrong: &mut Vec<String>) {
    let expected = format!("{expected:?}");
    if found != expected {
        wrong.push(format!("{what}: {found}, not {expected}"));
    }
}

/// A finds its UUID taken: it is refused by name, the site frees it, and everything of A's is as if B had never been.
fn squatted(theatre: &Theatre, ids: (Uuid, Uuid), keep_inactive: bool) -> Vec<String> {
    let (stage, mut wrong) = (theatre.stage(Ground::Empty), Vec::new());
    let taken = if ids.0 == Neighbour::hub_target() { ids.0 } else { ids.1 };
    let squat = theatre
        .b
        .bundle(&guest::release(), &Scene::new().target("b-1", ids).goods());
    let options = Options {
        keep_inactive,
        ..Options::default()
    };
    let first = if keep_inactive { Expect::Available } else { Expect::Live };
    expect("B's import", &word(&stage.import(&squat, &options)), first, &mut wrong);
    // A secret that was issued while B had the target is worth nothing once it is A's.
    let spare = stage.hub.issue_secret(&ids.0, false);
    let spare = spare.ok().map(|secret| secret.as_str().to_owned());
    let issue = theatre.a.bundle(Issue::First);
    let refused = stage.import(&issue, &Options::default());
    expect(
        "A's import",
        &word(&refused),
        Expect::Refused("E-POLICY", "foreign-target", "X13"),
        &mut wrong,
    );
    let said = refused.err().map(|error| error.to_string()).unwrap_or_default();
    if !said.contains(&taken.to_string()) {
        wrong.push(format!("the refusal does not name {taken}: {said}"));
    }
    let (good, _, said) = stage.program(&["target", "free", &taken.to_string(), "--yes"]);
    if !good {
        wrong.push(format!("target free: {}", said.lines().next().unwrap_or_default()));
    }
    stage.hub.refresh().unwrap();
    expect(
        "A's import afterwards",
        &word(&stage.import(&issue, &Options::default())),
        Expect::Live,
        &mut wrong,
    );
    wrong.extend(enrols(&stage, spare.as_deref()));
    // The former owner does not get it back, whatever it states.
    let again = theatre.b.bundle(
        &super::forge::Statement {
            sequence: 2,
            ..guest::release()
        },
        &Scene::new().target("b-1", ids).goods(),
    );
    let again = word(&stage.import(&again, &options));
    expect(
        "B's next import",
        &again,
        Expect::Refused("E-POLICY", "foreign-target", "X13"),
        &mut wrong,
    );
    wrong
}

/// A's agent of the target `hub-1` gets in with the hub's secret and runs what A states; nobody gets in with another one.
fn enrols(stage: &Stage, spare: Option<&str>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut wire = Wire::to(stage.address(Mode::Credentials));
    let mut login = |secret: &str| {
        let header = basic(&Neighbour::hub_target().to_string(), secret);
        wire.send("POST", "/api/v1/agent/login", &[("Authorization", &header)], b"")
    };
    let reply = login(HUB_SECRET);
    if reply.status != 200 {
        return vec![format!("login with the hub's secret: {}", reply.status)];
    }
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    if let Some(spare) = spare {
        let status = login(spare).status;
        if status != 401 {
            wrong.push(format!("login with a secret from B's time: {status}"));
        }
    }
    let bearer = format!("Bearer {token}");
    let reply = wire.get("/api/v1/agent/resources", &[("Authorization", &bearer)]);
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    if reply.status != 200 || !text.contains(&Neighbour::hub_deployment().to_string()) {
        wrong.push(format!("resources of hub-1: {} {text}", reply.status));
    }
    wrong
}

/// What follows from A's words is nobody else's to state, so A comes in as if nothing had been.
fn derived(theatre: &Theatre, ids: (Uuid, Uuid)) -> Vec<String> {
    let (stage, mut wrong) = (theatre.stage(Ground::Empty), Vec::new());
    let goods = Scene::new().target("b-1", ids).goods();
    let found = word(&stage.import(&theatre.b.bundle(&guest::release(), &goods), &Options::default()));
    expect(
        "B's import",
        &found,
        Expect::Refused("E-CONTENT", "derived-uuid", "X13"),
        &mut wrong,
    );
    wrong.extend(theatre.check_next(&stage, Ground::Empty, |_| false));
    wrong
}

fn removed_before(theatre: &Theatre) -> Vec<String> {
    let (stage, mut wrong) = (theatre.stage(Ground::Empty), Vec::new());
    let ids = own(&theatre.b, "app", "stable", "b-1");
    let goods = Scene::new().target("b-1", ids).removing(&theatre.a.ids()).goods();
    let found = word(&stage.import(&theatre.b.bundle(&guest::release(), &goods), &Options::default()));
    expect("B's import", &found, Expect::Live, &mut wrong);
    wrong.extend(theatre.check_next(&stage, Ground::Empty, |_| false));
    wrong
}

/// A tag belongs to whom had it live first, so B's stays for everybody but A's own agents, which get A's.
fn tag_before(theatre: &Theatre) -> Vec<String> {
    let (stage, mut wrong) = (theatre.stage(Ground::Empty), Vec::new());
    let mut goods = Goods::default();
    let theirs = goods.tagged(WEB, "7.0", "B web");
    let found = word(&stage.import(&theatre.b.bundle(&guest::release(), &goods), &Options::default()));
    expect("B's import", &found, Expect::Live, &mut wrong);
    let found = word(&stage.import(&theatre.a.bundle(Issue::First), &Options::default()));
    expect("A's import", &found, Expect::Live, &mut wrong);
    let ours = Neighbour::web(&mut Goods::default());
    let token = token_of(&stage, &theatre.a.press());
    let header = basic("-", &token);
    let path = WEB.strip_prefix(HOST).unwrap();
    for (who, mode, headers, expected) in [
        ("nobody", Mode::Loopback, vec![], theirs),
        (
            "A's agent",
            Mode::Credentials,
            vec![("Authorization", &header[..])],
            ours,
        ),
    ] {
        let mut wire = Wire::to(stage.address(mode));
        for path in [
            format!("/v2/{WEB}/manifests/7.0"),
            format!("/v2{path}/manifests/7.0?ns={HOST}"),
        ] {
            let reply = wire.get(&path, &headers);
            if reply.status != 200 || digest(&reply.body) != expected {
                wrong.push(format!(
                    "{who} gets for {path}: {} {}",
                    reply.status,
                    digest(&reply.body)
                ));
            }
        }
    }
    wrong
}
