//! What takes several acts, or another ground than the list of hostile vendors has.

use airlock::appliance::Options;
use airlock::domain::Digest;

use super::case::{Expect, word};
use super::fleet::random_id;
use super::forge::{Goods, Statement, Vendor};
use super::guest::{self, Scene, own};
use super::neighbour::{Issue, Neighbour, SHARED, statement};
use super::stage::{Mode, Prepared, Stage};
use super::wire::Wire;

/// An appliance that trusts A and B and has imported nothing.
fn empty() -> (Neighbour, Vendor, Stage) {
    let (a, b) = (Neighbour::new(), Vendor::new(&["app"]));
    let stage = Stage::of(&Prepared::empty(&[a.vendor.pin(), b.pin()]));
    (a, b, stage)
}

fn of_b(sequence: u64, homes: &[&'static str]) -> Statement {
    Statement {
        sequence,
        home_hosts: homes.to_vec(),
        ..guest::release()
    }
}

fn import(stage: &Stage, vendor: &Vendor, statement: &Statement, goods: &Goods, expect: Expect) {
    let result = stage.import(&vendor.bundle(statement, goods), &Options::default());
    assert_eq!(word(&result), format!("{expect:?}"), "{result:?}");
}

fn get(stage: &Stage, mode: Mode, path: &str) -> (u16, Vec<u8>) {
    let reply = Wire::to(stage.address(mode)).get(path, &[]);
    (reply.status, reply.body)
}

/// A host is given to nobody for as long as a release that was live with another domain's names below it is retained, so that what A
/// dropped is 404 and its own again when it states it again.
#[test]
fn a_host_is_not_taken_while_its_first_user_only_pauses() {
    const HOST: &str = "registry.x.test";
    const TAG: &str = "/v2/registry.x.test/app/manifests/1";
    let (a, b, stage) = empty();
    let of_a = |sequence| statement("erp", "stable", sequence);
    let mut app = Goods::default();
    app.tagged("registry.x.test/app", "1", "A app");
    import(&stage, &a.vendor, &of_a(1), &app, Expect::Live);
    let ours = get(&stage, Mode::Loopback, TAG);
    assert_eq!(ours.0, 200);
    let mut other = Goods::default();
    other.tagged("registry.b.test/z", "1", "B z");
    import(&stage, &b, &of_b(1, &[HOST]), &other, Expect::Live);
    let mut without = Goods::default();
    without.tagged("ghcr.io/acme/other", "1", "A other");
    import(&stage, &a.vendor, &of_a(2), &without, Expect::Live);
    let mut theirs = Goods::default();
    theirs.tagged("registry.x.test/app", "1", "B app");
    import(&stage, &b, &of_b(2, &[HOST]), &theirs, Expect::Live);
    assert_eq!(get(&stage, Mode::Loopback, TAG).0, 404);
    import(&stage, &a.vendor, &of_a(3), &app, Expect::Live);
    assert_eq!(get(&stage, Mode::Loopback, TAG), ours);
}

/// An agent image of which a platform was left out is readable without credentials, as far as it is here.
#[test]
fn an_agent_image_is_public_without_the_platforms_that_were_left_out() {
    const REPOSITORY: &str = "registry.b.test/b/partial";
    let (_, b, stage) = empty();
    let mut other = Goods::default();
    let arm = other.image("arm64 agent");
    let mut scene = Scene::new();
    let amd = scene.goods.image("amd64 agent");
    let index = scene.goods.index_without(amd, &other, arm);
    scene.goods.name(REPOSITORY, Some("1"), index);
    let ids = own(&b, "app", "stable", "b-1");
    let goods = scene.agent(0, REPOSITORY, index).target("b-1", ids).goods();
    import(&stage, &b, &of_b(1, &[guest::HOST]), &goods, Expect::Live);
    let status = |digest: &Digest| {
        get(
            &stage,
            Mode::Credentials,
            &format!("/v2/{REPOSITORY}/manifests/{digest}"),
        )
        .0
    };
    assert_eq!((status(&index), status(&amd)), (200, 200));
    assert_eq!(status(&arm), 401);
}

/// Who knows no more of A's private image than its digest makes nothing of it public by referring to it from an agent image.
#[test]
fn what_an_agent_image_merely_refers_to_is_not_public() {
    let (a, b, stage) = empty();
    let first = stage.import(&a.bundle(Issue::First), &Options::default());
    assert_eq!(word(&first), format!("{:?}", Expect::Live));
    let mut known = Goods::default();
    let private = known.image("A base");
    let blobs = known.blobs_of(&private);
    let manifest = std::iter::once(format!("/v2/{SHARED}/manifests/{private}"));
    let paths: Vec<String> = manifest
        .chain(blobs.iter().map(|blob| format!("/v2/{SHARED}/blobs/{blob}")))
        .collect();
    let anonymous = || -> Vec<u16> {
        let status = |path: &String| get(&stage, Mode::Credentials, path).0;
        paths.iter().map(status).collect()
    };
    assert!(anonymous().iter().all(|status| *status == 401));
    assert!(
        paths.iter().all(|path| get(&stage, Mode::Loopback, path).0 == 200),
        "A has it"
    );
    let mut scene = Scene::new();
    let agent = scene.goods.image("B's agent");
    let index = scene.goods.index_without(agent, &known, private);
    scene.goods.name(SHARED, None, index);
    let ids = own(&b, "app", "stable", "b-1");
    let goods = scene.agent(0, SHARED, index).target("b-1", ids).goods();
    assert!(!goods.carries(&private) && !blobs.iter().any(|blob| goods.carries(blob)));
    import(&stage, &b, &of_b(1, &[guest::HOST]), &goods, Expect::Live);
    assert!(anonymous().iter().all(|status| *status == 401));
    let theirs = get(&stage, Mode::Credentials, &format!("/v2/{SHARED}/manifests/{agent}"));
    assert_eq!(theirs.0, 200, "its own part of it is");
}

/// A channel that removes what only another one stated changes nothing of that, and lets it go to nobody.
#[test]
fn a_channel_removes_nothing_of_another_one() {
    let (a, _, stage) = empty();
    let waiting = Options {
        keep_inactive: true,
        ..Options::default()
    };
    let first = stage.import(&a.bundle(Issue::First), &waiting);
    assert_eq!(word(&first), format!("{:?}", Expect::Available));
    let token = super::world::token_of(&stage, &a.press());
    let ask = || {
        let bearer = format!("Bearer {token}");
        let mut wire = Wire::to(stage.address(Mode::Credentials));
        wire.get("/api/v1/agent/resources", &[("Authorization", &bearer)])
            .status
    };
    assert_eq!(ask(), 503, "known, and not live");
    let goods = Scene::new()
        .target("b-1", own(&a.vendor, "erp", "beta", "b-1"))
        .removing(&[a.press(), Neighbour::hub_target()])
        .goods();
    import(&stage, &a.vendor, &statement("erp", "beta", 1), &goods, Expect::Live);
    assert_eq!(ask(), 503, "still known");
    let mut scene = Scene::new();
    scene.version = random_id("other");
    let ids = (Neighbour::hub_target(), Neighbour::hub_deployment());
    let goods = scene.target("t-1", ids).goods();
    let foreign = Expect::Refused("E-POLICY", "foreign-target", "X13");
    import(&stage, &a.vendor, &statement("tools", "stable", 1), &goods, foreign);
    let next = stage.import(&a.bundle(Issue::WiderLater), &Options::default());
    assert_eq!(word(&next), format!("{:?}", Expect::Live));
}
