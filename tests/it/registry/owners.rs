//! Whose names are (D18 c): what one scope brings in changes nothing for anybody else, and nothing is hidden in silence.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::live::Live;
use airlock::appliance::registry::{Asked, Reference, Registry};
use airlock::appliance::{Owner, SharedHosts};
use airlock::bundle::desired::ChartSource;
use airlock::db::site::release::ReleaseId;
use airlock::domain::{Digest, Scope, Uuid, oci};
use airlock::http::Settings;
use serde_json::{Value, json};

use crate::support::agents::{Serving, basic, credentials};
use crate::support::bundles::{CHART, REPOSITORY};
use crate::support::client::{Reply, get};
use crate::support::desired::Desired;
use crate::support::in_process::InProcessAppliance;
use crate::support::site::{Draft, Site, digest};

/// Nobody's host: a tag there is of who had it first.
const SHARED: &str = "docker.io/library/a";
const HOME: &str = "registry.a.test";
const WEB: &str = "registry.a.test/erp/web";
const OURS: &[u8] = b"{\"n\":1}";
const THEIRS: &[u8] = b"{\"n\":2}";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The scopes that are not A's: another vendor, another product of the same one, another channel of the same product.
fn rivals(site: &Site) -> [Draft<'_>; 3] {
    [
        site.release_of(1, "erp", 1),
        site.release_of(0, "crm", 1),
        site.release_of(0, "erp", 1).on("beta"),
    ]
}

fn manifest(address: SocketAddr, repository: &str, reference: &str) -> Reply {
    get(address, &format!("/v2/{repository}/manifests/{reference}"))
}

fn assert_bytes(reply: &Reply, bytes: &[u8]) {
    assert_eq!((reply.status, reply.body.as_slice()), (200, bytes));
}

fn tags(address: SocketAddr, repository: &str) -> Value {
    get(address, &format!("/v2/{repository}/tags/list")).json()["tags"].clone()
}

fn message(reply: &Reply) -> String {
    reply.json()["errors"][0]["message"].as_str().unwrap().to_owned()
}

fn scope(site: &Site, id: ReleaseId) -> Scope {
    let releases = site.appliance().unwrap().releases().unwrap();
    releases.into_iter().find(|release| release.id == id).unwrap().scope
}

/// What a client with credentials of the scope gets.
fn own(registry: &Registry, scope: &Scope, name: &str, reference: &Reference) -> Option<(Digest, String)> {
    let asked = Asked {
        name: name.to_owned(),
        namespace: None,
    };
    let view = registry.snapshot().view(scope);
    let found = registry.find(&view, &asked, reference).unwrap().ok()?;
    Some((found.digest, found.media_type.unwrap_or_default().to_string()))
}

#[test]
fn a_tag_is_answered_by_the_scope_that_had_it_live_first_and_by_nobody_else() {
    for which in 0..3 {
        let site = Site::of_vendors(2);
        let first = site.release("erp", 1).tag(SHARED, "v1", OURS).tag(SHARED, "gone", OURS);
        let first = first.live();
        let (server, address) = site.serve();
        let [before, list] = [
            manifest(address, SHARED, "v1"),
            get(address, &format!("/v2/{SHARED}/tags/list")),
        ];
        drop(server);
        let rival = rivals(&site).into_iter().nth(which).unwrap();
        let rival = rival
            .tag(SHARED, "v1", THEIRS)
            .tag(SHARED, "gone", THEIRS)
            .tag(SHARED, "own", THEIRS);
        let rival = rival.live();
        let registry = site.registry();
        let (_server, address) = site.serve_with(Settings::default(), &registry);
        let after = manifest(address, SHARED, "v1");
        assert_bytes(&after, OURS);
        assert_eq!(after.stable_headers(), before.stable_headers());
        // The rival's own tag is everybody's to read, and digests always work.
        assert_bytes(&manifest(address, SHARED, "own"), THEIRS);
        assert_bytes(&manifest(address, SHARED, &digest(THEIRS).to_string()), THEIRS);
        assert_eq!(list.json()["tags"], json!(["gone", "v1"]));
        assert_eq!(tags(address, SHARED), json!(["gone", "own", "v1"]));
        let (ours, theirs) = (scope(&site, first), scope(&site, rival));
        let v1 = || Reference::Tag("v1".parse().unwrap());
        assert_eq!(own(&registry, &ours, SHARED, &v1()).unwrap().0, digest(OURS));
        assert_eq!(own(&registry, &theirs, SHARED, &v1()).unwrap().0, digest(THEIRS));
        assert_eq!(
            own(&registry, &ours, SHARED, &Reference::Tag("own".parse().unwrap())),
            None
        );
        assert_eq!(own(&registry, &ours, SHARED, &Reference::Digest(digest(THEIRS))), None);
        // What A no longer states is 404, never another's; the words name both.
        site.release("erp", 2).tag(SHARED, "v1", b"{\"n\":3}").live();
        registry.live().refresh().unwrap();
        assert_bytes(&manifest(address, SHARED, "v1"), b"{\"n\":3}");
        let gone = manifest(address, SHARED, "gone");
        assert_eq!((gone.status, gone.code().as_str()), (404, "MANIFEST_UNKNOWN"));
        let said = message(&gone);
        assert!(said.contains(&format!("{SHARED}:gone belongs to {ours}")), "{said}");
        assert!(
            said.ends_with(&format!("that of {theirs} is for its own clients")),
            "{said}"
        );
        assert_eq!(tags(address, SHARED), json!(["own", "v1"]));
        // What nobody states is told apart from what is hidden.
        assert_eq!(
            message(&manifest(address, SHARED, "none")),
            "no such manifest in this repository"
        );
        // Back again with an earlier release of its own.
        site.activate(first);
        registry.live().refresh().unwrap();
        assert_bytes(&manifest(address, SHARED, "gone"), OURS);
    }
}

#[test]
fn below_a_home_host_there_are_no_tags_and_no_referrers_of_other_domains() {
    let site = Site::of_vendors(2);
    let subject = digest(OURS);
    let ours = || site.release("erp", 1).home(HOME).tag(WEB, "v1", OURS);
    ours().referrer(WEB, &subject, "sbom", b"{\"by\":1}").live();
    let rival = site
        .release_of(1, "erp", 1)
        .home(HOME)
        .tag(WEB, "v1", THEIRS)
        .tag(WEB, "latest", THEIRS)
        .tag("registry.a.test/erp/never", "1", THEIRS)
        .tag(WEB, "copy", OURS)
        .referrer(WEB, &subject, "sbom", b"{\"by\":2}")
        .referrer("registry.a.test/erp/never", &digest(THEIRS), "sbom", b"{\"by\":3}")
        .tag(SHARED, "v1", THEIRS)
        .live();
    let registry = site.registry();
    let (_server, address) = site.serve_with(Settings::default(), &registry);
    for name in [WEB.to_owned(), "erp/web".into()] {
        assert_bytes(&manifest(address, &name, "v1"), OURS);
        let latest = manifest(address, &name, "latest");
        assert_eq!(
            (latest.status, latest.code().as_str()),
            (404, "MANIFEST_UNKNOWN"),
            "{name}"
        );
        assert!(
            message(&latest).contains("whose home the host is"),
            "{}",
            message(&latest)
        );
        assert_eq!(tags(address, &name), json!(["v1"]), "{name}");
        let list = get(address, &format!("/v2/{name}/referrers/{subject}")).json();
        assert_eq!(list["manifests"].as_array().unwrap().len(), 1, "{list}");
        assert_eq!(list["manifests"][0]["digest"], digest(b"{\"by\":1}").to_string());
    }
    // A repository of the rival alone is as good as none, but for its digests; `?ns=` is one rule with the host in the name.
    for path in [
        "registry.a.test/erp/never/manifests/1",
        "erp/never/manifests/1?ns=registry.a.test",
        "erp/never/tags/list",
    ] {
        let reply = get(address, &format!("/v2/{path}"));
        assert_eq!((reply.status, reply.code().as_str()), (404, "NAME_UNKNOWN"), "{path}");
    }
    let never = "registry.a.test/erp/never";
    assert_bytes(&manifest(address, never, &digest(THEIRS).to_string()), THEIRS);
    let list = get(address, &format!("/v2/{never}/referrers/{}", digest(THEIRS))).json();
    assert_eq!(list["manifests"], json!([]));
    let catalogue = get(address, "/v2/_catalog").json();
    assert_eq!(catalogue["repositories"], json!([SHARED, WEB]));
    // What the rival has elsewhere is there, and its own clients see everything of theirs.
    assert_bytes(&manifest(address, SHARED, "v1"), THEIRS);
    let theirs = scope(&site, rival);
    for (name, tag) in [(WEB, "v1"), ("erp/web", "latest"), (never, "1")] {
        let found = own(&registry, &theirs, name, &Reference::Tag(tag.parse().unwrap()));
        assert_eq!(found.unwrap().0, digest(THEIRS), "{name}:{tag}");
    }
    // All of it is said by name.
    let appliance = site.appliance().unwrap();
    let hidden = |id: ReleaseId| {
        let releases = appliance.releases().unwrap();
        appliance
            .hidden(releases.iter().find(|release| release.id == id).unwrap())
            .unwrap()
    };
    let said = hidden(rival);
    let names: Vec<String> = said
        .tags
        .iter()
        .map(|tag| format!("{}:{}", tag.repository, tag.tag))
        .collect();
    assert_eq!(
        names,
        [
            format!("{never}:1"),
            format!("{WEB}:copy"),
            format!("{WEB}:latest"),
            format!("{WEB}:v1")
        ]
    );
    let ours = appliance
        .releases()
        .unwrap()
        .into_iter()
        .find(|release| release.id != rival)
        .unwrap();
    let owners: Vec<&Owner> = said.tags.iter().map(|tag| &tag.owner).collect();
    let domain = Owner::Domain(ours.scope.domain);
    assert_eq!(owners, [&domain, &domain, &domain, &Owner::Scope(ours.scope.clone())]);
    assert_eq!(
        said.hosts
            .iter()
            .map(|host| (&*host.host, host.domain))
            .collect::<Vec<_>>(),
        [(HOME, ours.scope.domain)]
    );
    assert!(hidden(ours.id).is_empty());
}

#[test]
fn a_host_belongs_to_nobody_where_many_publish_or_another_was_there_before() {
    // Said by the site.
    let site = Site::of_vendors(2);
    site.release("erp", 1).home(HOME).tag(WEB, "v1", OURS).live();
    site.release_of(1, "erp", 1).tag(WEB, "v2", THEIRS).live();
    let shared: SharedHosts = [HOME.to_owned()].into_iter().collect();
    let appliance = Arc::new(site.appliance().unwrap().with_shared_hosts(shared));
    let registry = Arc::new(Registry::new(&Live::load(&appliance, Duration::ZERO).unwrap()).unwrap());
    let (_server, address) = site.serve_with(Settings::default(), &registry);
    assert_eq!(tags(address, WEB), json!(["v1", "v2"]));
    assert_bytes(&manifest(address, WEB, "v2"), THEIRS);
    // A name without host is looked for with those who call the host their home.
    assert_eq!(tags(address, "erp/web"), json!(["v1"]));

    // Said by the order of events: who comes second does not get the host, nor the tag; its own clients get its own.
    let site = Site::of_vendors(2);
    site.release_of(1, "erp", 1).tag(WEB, "v1", THEIRS).live();
    let second = site
        .release("erp", 1)
        .home(HOME)
        .tag(WEB, "v1", OURS)
        .tag(WEB, "v3", OURS)
        .live();
    let registry = site.registry();
    let (_server, address) = site.serve_with(Settings::default(), &registry);
    assert_bytes(&manifest(address, WEB, "v1"), THEIRS);
    assert_bytes(&manifest(address, WEB, "v3"), OURS);
    let v1 = Reference::Tag("v1".parse().unwrap());
    assert_eq!(
        own(&registry, &scope(&site, second), "erp/web", &v1).unwrap().0,
        digest(OURS)
    );

    // By default, the large public registries.
    let site = Site::of_vendors(2);
    site.release("erp", 1).home("docker.io").tag(SHARED, "v1", OURS).live();
    site.release_of(1, "erp", 1).tag(SHARED, "v2", THEIRS).live();
    let (_server, address) = site.serve();
    assert_eq!(tags(address, SHARED), json!(["v1", "v2"]));
}

#[test]
fn names_without_host_are_asked_in_the_order_in_which_homes_were_first_live() {
    let site = Site::of_vendors(2);
    site.release("erp", 1)
        .home("docker.io")
        .home(HOME)
        .tag(WEB, "v1", OURS)
        .tag(WEB, "dropped", OURS)
        .live();
    // Its host stands first in byte order, it has the same paths, and it has A's path on a host that A calls home.
    site.release_of(1, "erp", 1)
        .home("0.b.test")
        .tag("0.b.test/erp/web", "v1", THEIRS)
        .tag("0.b.test/erp/web", "dropped", THEIRS)
        .tag("0.b.test/erp/web", "own", THEIRS)
        .tag("docker.io/erp/web", "v1", THEIRS)
        .tag("docker.io/erp/web", "hub", THEIRS)
        .live();
    site.release("erp", 2)
        .home("docker.io")
        .home(HOME)
        .tag(WEB, "v1", OURS)
        .live();
    let (_server, address) = site.serve();
    assert_bytes(&manifest(address, "erp/web", "v1"), OURS);
    // The first that owns the tag answers, also when that is: not any more.
    assert_eq!(manifest(address, "erp/web", "dropped").code(), "MANIFEST_UNKNOWN");
    assert_bytes(&manifest(address, "erp/web", "own"), THEIRS);
    assert_eq!(manifest(address, "erp/web", "hub").code(), "MANIFEST_UNKNOWN");
    assert_bytes(&manifest(address, "docker.io/erp/web", "hub"), THEIRS);
    assert_eq!(tags(address, "erp/web"), json!(["own", "v1"]));
    assert_bytes(&manifest(address, "erp/web", &digest(THEIRS).to_string()), THEIRS);
}

#[test]
fn a_media_type_is_stated_by_who_answers() {
    for which in 0..3 {
        let site = Site::of_vendors(2);
        let first = site
            .release("erp", 1)
            .typed(SHARED, Some("m"), oci::OCI_MANIFEST, OURS)
            .live();
        let rival = rivals(&site).into_iter().nth(which).unwrap();
        let rival = rival.typed(SHARED, Some("b"), DOCKER_MANIFEST, OURS).live();
        let registry = site.registry();
        let (_server, address) = site.serve_with(Settings::default(), &registry);
        let by_digest = digest(OURS).to_string();
        // Twice: what is remembered of one is not told of the other.
        for _ in 0..2 {
            for (reference, media_type) in [
                ("m", oci::OCI_MANIFEST),
                ("b", DOCKER_MANIFEST),
                (&by_digest, oci::OCI_MANIFEST),
            ] {
                let reply = manifest(address, SHARED, reference);
                assert_bytes(&reply, OURS);
                assert_eq!(reply.header("content-type"), Some(media_type), "{reference}");
            }
        }
        for (id, media_type) in [(first, oci::OCI_MANIFEST), (rival, DOCKER_MANIFEST)] {
            let found = own(&registry, &scope(&site, id), SHARED, &Reference::Digest(digest(OURS))).unwrap();
            assert_eq!(found.1, media_type);
        }
        // It was there first, whichever of its releases is live.
        site.release("erp", 2)
            .typed(SHARED, None, oci::OCI_MANIFEST, OURS)
            .live();
        registry.live().refresh().unwrap();
        let reply = manifest(address, SHARED, &by_digest);
        assert_eq!(reply.header("content-type"), Some(oci::OCI_MANIFEST));
    }
}

#[test]
fn referrers_are_those_of_the_scope_that_had_their_subject_first() {
    for which in 0..3 {
        let site = Site::of_vendors(2);
        let subject = digest(OURS);
        let absent = digest(b"nowhere");
        site.release("erp", 1)
            .tag(SHARED, "v1", OURS)
            .referrer(SHARED, &subject, "sbom", b"{\"by\":1}")
            .live();
        let rival = rivals(&site).into_iter().nth(which).unwrap();
        rival
            .tag(SHARED, "v2", THEIRS)
            .referrer(SHARED, &subject, "sbom", b"{\"by\":2}")
            .referrer(SHARED, &digest(THEIRS), "sbom", b"{\"by\":3}")
            .referrer(SHARED, &absent, "sbom", b"{\"by\":4}")
            .live();
        let (_server, address) = site.serve();
        for (subject, by) in [(subject, 1), (digest(THEIRS), 3), (absent, 4)] {
            let list = get(address, &format!("/v2/{SHARED}/referrers/{subject}")).json();
            let list = list["manifests"].as_array().unwrap().clone();
            let digests: Vec<&Value> = list.iter().map(|entry| &entry["digest"]).collect();
            assert_eq!(digests, [&json!(digest(format!("{{\"by\":{by}}}").as_bytes()))]);
        }
    }
}

/// The product `crm`, whose private repository the product `erp` calls that of its docker agent.
#[test]
fn a_repository_is_not_public_because_another_scope_names_it_as_its_agents() {
    let instance = InProcessAppliance::new();
    let crm = instance
        .vendor
        .with_targets_of("crm", 1, |image| Desired::docker(image, 2, "a").without(&["edge-1"]));
    instance.import(&crm, false).unwrap();
    let erp = instance.vendor.with_targets_of("erp", 2, |image| {
        let mut desired = Desired::docker(image, 2, "b").without(&["edge-0"]);
        let docker = desired.state.agents[0].docker.as_mut().unwrap();
        docker.repository = REPOSITORY.parse().unwrap();
        desired
    });
    instance.import(&erp, false).unwrap();
    let serving = Serving::start(instance, credentials());
    let token = basic("-", &serving.token("edge-1"));
    let ask = |path: &str, shown: bool| {
        let headers = [("Authorization", token.as_str())];
        serving.send(
            "GET",
            &format!("/v2/{REPOSITORY}/{path}"),
            if shown { &headers } else { &[] },
            b"",
        )
    };
    let config = {
        let shown = basic("-", &serving.token("edge-0"));
        let path = format!("/v2/{REPOSITORY}/manifests/{}", crm.manifest);
        let manifest = serving.send("GET", &path, &[("Authorization", &shown)], b"");
        assert_eq!(manifest.status, 200);
        manifest.json()["config"]["digest"].as_str().unwrap().to_owned()
    };
    for path in [format!("manifests/{}", crm.manifest), format!("blobs/{config}")] {
        let nobody = ask(&path, false);
        assert_eq!((nobody.status, nobody.code().as_str()), (401, "UNAUTHORIZED"), "{path}");
        assert_eq!(ask(&path, true).status, 404, "{path}");
    }
    for path in ["manifests/latest", "manifests/v1", "tags/list"] {
        let nobody = ask(path, false);
        assert_eq!((nobody.status, nobody.code().as_str()), (401, "UNAUTHORIZED"), "{path}");
    }
    assert_eq!(ask("manifests/v1", true).code(), "MANIFEST_UNKNOWN");
    // What it does name is everybody's, as far as the image goes.
    let image = ask(&format!("manifests/{}", erp.manifest), false);
    assert_bytes(&image, &ask("manifests/v2", true).body);
    let theirs = image.json()["config"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(ask(&format!("blobs/{theirs}"), false).status, 200);
}

/// What is found by a tag about an image is of the scope that had the image first, also where nobody calls the host its home; a rival
/// that was there before the image changes nothing.
#[test]
fn a_tag_about_an_image_belongs_to_whom_the_image_belongs_to() {
    let about = |suffix: &str| format!("sha256-{}{suffix}", digest(OURS).0.to_hex());
    for which in 0..3 {
        for rival_first in [false, true] {
            let site = Site::of_vendors(2);
            let rival = || {
                let rival = rivals(&site).into_iter().nth(which).unwrap();
                rival
                    .tag(SHARED, &about(""), THEIRS)
                    .tag(SHARED, &about(".sig"), THEIRS)
                    .live()
            };
            let planted = rival_first.then(rival);
            site.release("erp", 1).tag(SHARED, "v1", OURS).live();
            let planted = planted.unwrap_or_else(rival);
            let registry = site.registry();
            let (_server, address) = site.serve_with(Settings::default(), &registry);
            for suffix in ["", ".sig"] {
                assert_eq!(manifest(address, SHARED, &about(suffix)).status, 404, "{suffix:?}");
                let own = own(
                    &registry,
                    &scope(&site, planted),
                    SHARED,
                    &Reference::Tag(about(suffix).parse().unwrap()),
                );
                assert_eq!(own.unwrap().0, digest(THEIRS));
            }
            assert_eq!(tags(address, SHARED), json!(["v1"]));
            let said = message(&manifest(address, SHARED, &about(".sig")));
            assert!(said.contains("belongs to erp/stable"), "{said}");
            // The positive twin: its own signature is everybody's to read.
            let next = site.release("erp", 2).tag(SHARED, "v1", OURS);
            next.tag(SHARED, &about(".sig"), b"{\"n\":4}").live();
            registry.live().refresh().unwrap();
            assert_bytes(&manifest(address, SHARED, &about(".sig")), b"{\"n\":4}");
        }
    }
}

/// As a hub makes them.
fn other_target() -> Uuid {
    "5f0d6d0a-9c0e-4c49-8d0e-0a4f3a1c7b01".parse().unwrap()
}

/// Two products sign the version `1.0.0+a` of one chart with other bytes.
#[test]
fn a_chart_is_served_as_it_was_signed() {
    const OTHER: &[u8] = b"another archive";
    const BASE: &str = "/charts/registry.test/charts/shop";
    let signed = |image: Digest, chart: Digest| {
        let mut desired = Desired::both(image, 1, "a");
        let deployment = &mut desired.target("cluster").deployments[0];
        for named in &mut deployment.images {
            if named.repository.as_str() == "registry.test/charts/shop" {
                named.digest = chart;
            }
        }
        deployment.images.sort();
        let helm = deployment.helm.as_mut().unwrap();
        helm.source = ChartSource::Repository;
        helm.chart_version = "1.0.0+a".into();
        helm.tag = "1.0.0_a".parse().unwrap();
        desired
    };
    let index = |serving: &Serving, headers: &[(&str, &str)]| {
        let reply = serving.send("GET", &format!("{BASE}/index.yaml"), headers, b"");
        assert_eq!(reply.status, 200);
        reply.json()["entries"]["shop"].clone()
    };
    let archive = |serving: &Serving, headers: &[(&str, &str)]| {
        serving.send("GET", &format!("{BASE}/shop-1.0.0+a.tgz"), headers, b"")
    };
    let instance = InProcessAppliance::new();
    instance.import(&instance.vendor.with_chart(1, signed), false).unwrap();
    let second = instance.vendor.with_chart_of("erp", 1, OTHER, |image, chart| {
        let mut desired = signed(image, chart).without(&["edge-0"]);
        // Targets of its own.
        for target in &mut desired.state.targets {
            target.id = other_target();
            target.deployments[0].id = "5f0d6d0a-9c0e-4c49-8d0e-0a4f3a1c7b02".parse().unwrap();
        }
        desired
    });
    instance.import(&second, false).unwrap();
    let serving = Serving::start(instance, credentials());
    assert_bytes(&archive(&serving, &[]), CHART);
    let list = index(&serving, &[]);
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["digest"], digest(CHART).0.to_hex());
    let token = basic("-", &serving.token("cluster"));
    assert_bytes(&archive(&serving, &[("Authorization", &token)]), CHART);
    let other = other_target();
    let secret = serving.hub.issue_secret(&other, false).unwrap();
    serving.hub.refresh().unwrap();
    let reply = serving.login(&other, secret.as_str());
    let token = basic("-", reply.json()["token"].as_str().unwrap());
    assert_bytes(&archive(&serving, &[("Authorization", &token)]), OTHER);
    assert_eq!(
        index(&serving, &[("Authorization", &token)])[0]["digest"],
        digest(OTHER).0.to_hex()
    );
    // Its import said so.
    let releases = serving.instance.appliance().releases().unwrap();
    let erp = releases
        .iter()
        .find(|release| release.scope.product.as_str() == "erp")
        .unwrap();
    let hidden = serving.instance.appliance().hidden(erp).unwrap();
    let tags: Vec<String> = hidden.tags.iter().map(ToString::to_string).collect();
    let of_crm = |name: &str| {
        tags.iter()
            .any(|tag| tag.starts_with(&format!("{name} belongs to crm/stable of domain ")))
    };
    assert!(of_crm("registry.test/charts/shop:1.0.0_a"), "{tags:?}");
    assert!(hidden.hosts.is_empty());
    // Credentials that are none change nothing: agents show here whatever they have.
    assert_bytes(&archive(&serving, &[("Authorization", "Basic eDp5")]), CHART);
    // A version that the first does not sign any more is nobody else's.
    let next = serving
        .instance
        .vendor
        .with_targets_of("crm", 2, |image| Desired::both(image, 1, "b"));
    serving.instance.import(&next, false).unwrap();
    serving.hub.refresh().unwrap();
    assert_eq!(archive(&serving, &[]).status, 404);
    assert_bytes(&archive(&serving, &[("Authorization", &token)]), OTHER);
    // What the release tags beside it is no chart of the repository.
    assert_eq!(
        serving.send("GET", &format!("{BASE}/shop-1.0.0.tgz"), &[], b"").status,
        404
    );
}
