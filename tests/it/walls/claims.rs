//! UUIDs of A in others' mouths: claimed, derived, removed; by another vendor, another product, another channel (K23).

use airlock::appliance::Options;
use airlock::domain::Uuid;

use super::case::{Act, Case, Expect, Theatre, What};
use super::fleet::{deployment_id, random_id};
use super::forge::{Goods, Statement, Vendor};
use super::guest::{self, Scene, own};
use super::neighbour::{Issue, Neighbour, statement};
use super::stage::Ground;
use super::world::Depth;

const FOREIGN: Expect = Expect::Refused("E-POLICY", "foreign-target", "X13");
const DERIVED: Expect = Expect::Refused("E-CONTENT", "derived-uuid", "X13");

fn nothing(_: &str) -> bool {
    false
}

/// What may change when `hub-1` has another owner: its agent is a stranger until it is enrolled again.
fn of_hub_target(question: &str) -> bool {
    question.contains("hub-1") || question.contains(&Neighbour::hub_target().to_string())
}

fn case(name: &str, ground: Ground, vendor: &Vendor, statement: &Statement, goods: &Goods, expect: Expect) -> Case {
    acts(
        name,
        ground,
        vec![act(vendor, statement, goods, Options::default(), expect)],
    )
}

fn acts(name: &str, ground: Ground, acts: Vec<Act>) -> Case {
    Case {
        name: name.to_owned(),
        ground,
        slow: false,
        what: What::Imports {
            acts,
            intruder: None,
            allowed: nothing,
            allowed_later: nothing,
        },
    }
}

fn act(vendor: &Vendor, statement: &Statement, goods: &Goods, options: Options, expect: Expect) -> Act {
    Act {
        bundle: vendor.bundle(statement, goods),
        options,
        expect,
    }
}

fn claim(target: Uuid, deployment: Uuid) -> Goods {
    Scene::new().target("b-1", (target, deployment)).goods()
}

pub(super) fn cases(theatre: &Theatre) -> Vec<Case> {
    let mut cases = by_another_vendor(theatre);
    cases.extend(by_a_itself(theatre));
    cases
}

fn by_another_vendor(theatre: &Theatre) -> Vec<Case> {
    use Ground::{Live, Second, Standby};
    let (a, b) = (&theatre.a, &theatre.b);
    let release = guest::release();
    let ours = own(b, "app", "stable", "b-1");
    let hub = (Neighbour::hub_target(), Neighbour::hub_deployment());
    let press = (a.press(), deployment_id(a.press(), "web"));
    let [wide_press, wide_hub] = a.wider_targets();
    let local = theatre.prepared[&Live].passes.secrets["press-9"].0;
    let words = |target: Uuid| (target, deployment_id(target, "web"));
    let mut cases = Vec::new();
    let mut add = |name: &str, ground, (target, deployment), expect| {
        cases.push(case(name, ground, b, &release, &claim(target, deployment), expect));
    };
    add("claims A's target of the hub", Live, words(hub.0), FOREIGN);
    add("claims A's target and deployment of the hub", Live, hub, FOREIGN);
    add("claims A's derived target", Live, press, DERIVED);
    add(
        "claims A's kubernetes target for docker",
        Live,
        words(a.cluster()),
        DERIVED,
    );
    add("claims a deployment of A's of the hub", Live, (ours.0, hub.1), FOREIGN);
    add("claims a derived deployment of A's", Live, (ours.0, press.1), DERIVED);
    add("claims A's target as a deployment", Live, (ours.0, hub.0), FOREIGN);
    add("claims A's deployment as a target", Live, words(hub.1), FOREIGN);
    add("claims the target made here", Live, words(local), FOREIGN);
    add(
        "claims a target that is available only",
        Standby,
        words(wide_hub),
        FOREIGN,
    );
    add(
        "claims a deployment that is available only",
        Standby,
        (ours.0, random_id("hub-2 web")),
        FOREIGN,
    );
    add(
        "claims a derived target that is available only",
        Standby,
        words(wide_press),
        DERIVED,
    );
    add("claims a target that A removed", Second, words(hub.0), FOREIGN);
    add(
        "claims a deployment of a target that A removed",
        Second,
        (ours.0, hub.1),
        FOREIGN,
    );
    add(
        "squats a target that A may derive one day",
        Live,
        words(a.vendor.target_id("erp", "stable", "press-3")),
        DERIVED,
    );
    add(
        "derives for another channel of its own",
        Live,
        own(b, "app", "beta", "b-1"),
        DERIVED,
    );
    add(
        "derives for another product of its own",
        Live,
        own(b, "other", "stable", "b-1"),
        DERIVED,
    );
    add(
        "derives for another name of its own",
        Live,
        own(b, "app", "stable", "b-2"),
        DERIVED,
    );
    add(
        "derives a deployment for another target",
        Live,
        (ours.0, own(b, "app", "stable", "b-2").1),
        DERIVED,
    );
    add(
        "a derived deployment of no application on a target of the hub",
        Live,
        (random_id("b-1"), deployment_id(random_id("b-1"), "other")),
        DERIVED,
    );

    for (name, ground, ids, expect) in [
        ("claims A's target of the hub", Live, words(hub.0), FOREIGN),
        ("claims A's derived target", Live, press, DERIVED),
        (
            "claims a target that is available only",
            Standby,
            words(wide_hub),
            FOREIGN,
        ),
        ("claims a target that A removed", Second, words(hub.0), FOREIGN),
    ] {
        let goods = claim(ids.0, ids.1);
        for (how, options) in [
            (
                "to be kept inactive",
                Options {
                    keep_inactive: true,
                    ..Options::default()
                },
            ),
            (
                "dry run",
                Options {
                    dry_run: true,
                    ..Options::default()
                },
            ),
            (
                "dry run, to be kept inactive",
                Options {
                    dry_run: true,
                    keep_inactive: true,
                    ..Options::default()
                },
            ),
        ] {
            let slow = how != "to be kept inactive";
            let name = format!("{name}, {how}");
            let case = acts(&name, ground, vec![act(b, &release, &goods, options, expect)]);
            cases.push(Case { slow, ..case });
        }
    }

    let all = a.ids();
    let scene = Scene::new().target("b-1", ours).removing(&all);
    cases.push(case(
        "removes everything of A's",
        Live,
        b,
        &release,
        &scene.goods(),
        Expect::Live,
    ));
    let scene = Scene::new().target("b-1", ours).removing(&[local]);
    cases.push(case(
        "removes the target made here",
        Live,
        b,
        &release,
        &scene.goods(),
        Expect::Live,
    ));
    let scene = Scene::new().target("b-1", ours).removing(&all);
    cases.push(case(
        "removes what is available only",
        Standby,
        b,
        &release,
        &scene.goods(),
        Expect::Live,
    ));
    // Removed before, claimed then: naming it gave nobody a right.
    let next = Statement {
        sequence: 2,
        ..release.clone()
    };
    let removing = Scene::new().target("b-1", ours).removing(&[hub.0]).goods();
    let claiming = Scene::new().target("b-1", ours).target("b-2", words(hub.0)).goods();
    cases.push(acts(
        "removes A's target, then claims it",
        Live,
        vec![
            act(b, &release, &removing, Options::default(), Expect::Live),
            act(b, &next, &claiming, Options::default(), FOREIGN),
        ],
    ));
    let mut scene = Scene::new();
    scene.version = Uuid::derived("agent-version", &["3.1.0"]);
    let goods = scene.target("b-1", ours).goods();
    cases.push(case(
        "states A's agent version with other images",
        Live,
        b,
        &release,
        &goods,
        Expect::Live,
    ));
    let mut scene = Scene::new().target("b-1", ours);
    scene.fleet.revision(a.revision());
    cases.push(case(
        "states a revision of A's",
        Live,
        b,
        &release,
        &scene.goods(),
        Expect::Live,
    ));
    let goods = Scene::new()
        .target("press-1", own(b, "app", "stable", "press-1"))
        .goods();
    cases.push(case(
        "calls its target as A's is called",
        Live,
        b,
        &release,
        &goods,
        Expect::Live,
    ));
    cases
}

/// Walls stand between products and channels of one domain, too.
fn by_a_itself(theatre: &Theatre) -> Vec<Case> {
    use Ground::{Live, Second};
    let a = &theatre.a;
    let (tools, beta) = (statement("tools", "stable", 1), statement("erp", "beta", 1));
    let hub = (Neighbour::hub_target(), Neighbour::hub_deployment());
    let press = (a.press(), deployment_id(a.press(), "web"));
    let mut cases = Vec::new();
    let mut add = |name: &str, ground, statement: &Statement, goods: &Goods, expect| {
        cases.push(case(name, ground, &a.vendor, statement, goods, expect));
    };
    add(
        "another product claims a target of the hub",
        Live,
        &tools,
        &claim(hub.0, hub.1),
        FOREIGN,
    );
    add(
        "another product claims a derived target",
        Live,
        &tools,
        &claim(press.0, press.1),
        DERIVED,
    );
    add(
        "another channel claims a derived target",
        Live,
        &beta,
        &claim(press.0, press.1),
        DERIVED,
    );
    let mine = |product: &str, channel: &str| own(&a.vendor, product, channel, "other");
    let all = a.ids();
    let scene = Scene::new().target("other", mine("tools", "stable")).removing(&all);
    add(
        "another product removes everything of A's",
        Live,
        &tools,
        &scene.goods(),
        Expect::Live,
    );
    let scene = Scene::new().target("other", mine("erp", "beta")).removing(&all);
    add(
        "another channel removes everything of A's",
        Live,
        &beta,
        &scene.goods(),
        Expect::Live,
    );
    let inactive = Options {
        keep_inactive: true,
        ..Options::default()
    };
    let goods = claim(hub.0, hub.1);
    cases.push(acts(
        "another product claims a target of the hub, to be kept inactive",
        Live,
        vec![act(&a.vendor, &tools, &goods, inactive, FOREIGN)],
    ));
    // It may wait for the day on which the other channel has it no more; then it is known again, and its secret counts again.
    cases.push(Case {
        name: "another channel claims a target of the hub".to_owned(),
        ground: Live,
        slow: false,
        what: What::Imports {
            acts: vec![act(&a.vendor, &beta, &goods, Options::default(), Expect::Available)],
            intruder: None,
            allowed: nothing,
            allowed_later: of_hub_target,
        },
    });
    // What the owner's live release removes goes over within the domain.
    cases.push(Case {
        name: "another product takes over what the live release removes".to_owned(),
        ground: Second,
        slow: false,
        what: What::Imports {
            acts: vec![act(&a.vendor, &tools, &goods, Options::default(), Expect::Live)],
            intruder: None,
            allowed: of_hub_target,
            allowed_later: of_hub_target,
        },
    });
    cases.push(Case {
        name: "what went over lets the old token in no more".to_owned(),
        ground: Second,
        slow: false,
        what: What::Story(went_over),
    });
    cases
}

/// Going over raises the generation of tokens, and the way back to the former owner is closed.
fn went_over(theatre: &Theatre) -> Vec<String> {
    let stage = theatre.stage(Ground::Second);
    let goods = claim(Neighbour::hub_target(), Neighbour::hub_deployment());
    let bundle = theatre.a.vendor.bundle(&statement("tools", "stable", 1), &goods);
    let mut wrong = Vec::new();
    if let Err(error) = stage.import(&bundle, &Options::default()) {
        return vec![format!("the import of the next owner: {error}")];
    }
    let world = theatre.look(&stage, Depth::Names, Ground::Second, Issue::Second);
    for question in ["resources", "manifest"] {
        let question = format!("{question} for the old token of hub-1");
        let answer = world.answer(&question);
        if !answer.starts_with("401") {
            wrong.push(format!("{question}: {answer}"));
        }
    }
    // An earlier release that states what went over cannot come back.
    let (good, _, said) = stage.program(&[
        "release",
        "activate",
        "7.0",
        "--product",
        "erp/stable",
        "--undeploy",
        "--yes",
    ]);
    if good || !said.contains("foreign-target") {
        wrong.push(format!("an earlier release that states it goes live again: {said}"));
    }
    wrong
}
