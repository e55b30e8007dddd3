//! A's names in others' mouths: repositories, tags, home hosts, referrers, media types, agent images, charts (K24).

use airlock::appliance::Options;
use airlock::bundle::desired::ChartSource;
use airlock::domain::Uuid;

use super::case::{Act, Case, Expect, Theatre, What};
use super::fleet::{ChartUse, image_name};
use super::forge::{DOCKER_MANIFEST, Goods, Statement, Vendor};
use super::guest::{self, Scene, own};
use super::neighbour::{
    AGENT, AUTOHEAL, CLASSIC_CHART, HOST, KUBERNETES_AGENT, NEVER, Neighbour, OCI_CHART, PLAIN, SHARED, WEB, statement,
};
use super::stage::Ground;
use super::world::about_tags;

/// Makes the list: who does it, and under which words.
struct List<'a> {
    vendor: &'a Vendor,
    statement: Statement,
    prefix: &'a str,
    /// Whether what is added now is one more of a kind.
    slow: bool,
    cases: Vec<Case>,
}

impl List<'_> {
    fn add(&mut self, name: &str, ground: Ground, homes: &[&'static str], goods: Goods, intruder: Option<Uuid>) {
        let statement = Statement {
            home_hosts: homes.to_vec(),
            ..self.statement.clone()
        };
        self.cases.push(Case {
            name: format!("{}{name}", self.prefix),
            ground,
            slow: self.slow,
            what: What::Imports {
                acts: vec![Act {
                    bundle: self.vendor.bundle(&statement, &goods),
                    options: Options::default(),
                    expect: Expect::Live,
                }],
                intruder: intruder.map(|target| (target, Box::new(goods))),
                allowed: |_| false,
                allowed_later: |_| false,
            },
        });
    }

    /// Content under names, without any target.
    fn content(&mut self, name: &str, ground: Ground, homes: &[&'static str], fill: impl FnOnce(&mut Goods)) {
        let mut goods = Goods::default();
        fill(&mut goods);
        self.add(name, ground, homes, goods, None);
    }

    /// A target whose docker agent, autoheal or kubernetes agent image is one of a repository of A's.
    fn agent(&mut self, name: &str, which: usize, repository: &str, tag: Option<&str>, text: &str) {
        let mut scene = Scene::new();
        let digest = scene.goods.image(text);
        scene.goods.name(repository, tag, digest);
        let ids = own(self.vendor, self.statement.product, self.statement.channel, "b-1");
        let goods = scene.agent(which, repository, digest).target("b-1", ids).goods();
        self.add(name, Ground::Live, &[guest::HOST], goods, Some(ids.0));
    }

    /// A kubernetes target that fetches a chart from a repository of A's.
    fn chart(&mut self, name: &str, repository: &str, chart: (&str, &str), source: ChartSource) {
        let (short, version) = chart;
        let mut scene = Scene::new();
        let digest = scene.goods.chart(short, version, "B");
        scene.goods.name(repository, Some(version), digest);
        let uses = [ChartUse {
            repository,
            name: short,
            version,
            digest,
            source,
        }];
        let (target, _) = own(self.vendor, self.statement.product, self.statement.channel, "b-cluster");
        let version = scene.version;
        scene
            .fleet
            .kubernetes(&mut scene.goods, version, "b-cluster", target, &uses, "B");
        self.add(name, Ground::Live, &[guest::HOST], scene.goods(), Some(target));
    }
}

pub(super) fn cases(theatre: &Theatre) -> Vec<Case> {
    let mut list = List {
        vendor: &theatre.b,
        statement: guest::release(),
        prefix: "",
        slow: false,
        cases: Vec::new(),
    };
    tags(&mut list);
    strangers(&mut list);
    about(&mut list);
    types(&mut list);
    public(&mut list);
    charts(&mut list);
    let mut cases = list.cases;
    for (prefix, product, channel) in [
        ("A's other product: ", "tools", "stable"),
        ("A's other channel: ", "erp", "beta"),
    ] {
        let mut list = List {
            vendor: &theatre.a.vendor,
            statement: statement(product, channel, 1),
            prefix,
            slow: channel == "beta",
            cases: Vec::new(),
        };
        within(&mut list);
        cases.extend(list.cases);
    }
    cases
}

/// Tags of A's with other bytes, and new ones below A's host.
fn tags(list: &mut List<'_>) {
    use Ground::{Live, Second, Standby};
    for (name, homes) in [
        ("", vec![]),
        (", A's home host as its own", vec![HOST]),
        (", A's home host beside its own", vec![HOST, guest::HOST]),
    ] {
        list.slow = homes.len() > 1;
        list.content(&format!("the tag 7.0 in A's repository{name}"), Live, &homes, |goods| {
            goods.tagged(WEB, "7.0", "B web");
        });
        list.content(
            &format!("the tag latest in A's repository{name}"),
            Live,
            &homes,
            |goods| {
                goods.tagged(WEB, "latest", "B web");
            },
        );
        list.content(&format!("a repository below A's host{name}"), Live, &homes, |goods| {
            goods.tagged(NEVER, "1", "B web");
            goods.tagged(NEVER, "latest", "B web");
        });
    }
    list.slow = false;
    list.content("every tag of A's, with other bytes", Standby, &[HOST], |goods| {
        for (repository, tag) in [
            (WEB, "7.0"),
            (WEB, "stable"),
            (WEB, "8.0"),
            (WEB, "9.0"),
            (PLAIN, "m"),
            (AGENT, "3.1.0"),
            (AUTOHEAL, "3.1.0"),
            (KUBERNETES_AGENT, "3.1.0"),
            (OCI_CHART, "1.0.0"),
            (CLASSIC_CHART, "7.0.0"),
            (CLASSIC_CHART, "7.1.0"),
            (SHARED, "1"),
        ] {
            goods.tagged(repository, tag, "B");
        }
    });
    list.content("a tag that A will drop", Live, &[], |goods| {
        goods.tagged(WEB, "stable", "B web");
    });
    list.content("a tag that A dropped", Second, &[], |goods| {
        goods.tagged(WEB, "stable", "B web");
    });
    list.content("a chart's tag that A dropped", Second, &[], |goods| {
        let chart = goods.chart("erp", "7.0.0", "B");
        goods.name(CLASSIC_CHART, Some("7.0.0"), chart);
    });
    list.content("A's tag with A's bytes, which A will move", Live, &[], |goods| {
        let web = Neighbour::web(goods);
        goods.name(WEB, Some("7.0"), web);
    });
    list.content("a tag that A will state one day, with A's bytes", Live, &[], |goods| {
        let web = Neighbour::web(goods);
        goods.name(WEB, Some("b-agent"), web);
    });
}

/// Names below hosts that are not A's home.
fn strangers(list: &mut List<'_>) {
    use Ground::Live;
    list.content("A's tag on a host that is shared", Live, &[], |goods| {
        goods.tagged(SHARED, "1", "B base");
    });
    list.content(
        "A's tag on a shared host that it calls its home",
        Live,
        &["ghcr.io"],
        |goods| {
            goods.tagged(SHARED, "1", "B base");
        },
    );
    for home in [guest::HOST, "0.b.test"] {
        list.content(
            &format!("A's paths and tags below its own home {home}"),
            Live,
            &[home],
            |goods| {
                for (repository, tag) in [(WEB, "7.0"), (PLAIN, "m"), (AGENT, "3.1.0"), (CLASSIC_CHART, "7.0.0")] {
                    let path = repository.split_once('/').unwrap().1;
                    goods.tagged(&format!("{home}/{path}"), tag, "B");
                }
            },
        );
    }
    list.content(
        "every host as its home",
        Live,
        &["docker.io", "ghcr.io", "localhost", HOST],
        |goods| {
            goods.tagged("docker.io/erp/web", "7.0", "B");
            goods.tagged("ghcr.io/erp/web", "7.0", "B");
            goods.tagged("localhost/erp/web", "7.0", "B");
        },
    );
}

/// What claims to be about A's images.
fn about(list: &mut List<'_>) {
    use Ground::Live;
    for (name, homes) in [("", vec![]), (", A's home host as its own", vec![HOST])] {
        list.content(&format!("a referrer of A's image{name}"), Live, &homes, |goods| {
            let web = Neighbour::web(goods);
            goods.name(WEB, None, web);
            let about = goods.referrer(web, "application/vnd.test.sbom", "B's list of parts");
            goods.name(WEB, None, about);
        });
        list.content(&format!("tags about A's image{name}"), Live, &homes, |goods| {
            let web = Neighbour::web(goods);
            goods.name(WEB, None, web);
            let about = goods.referrer(web, "application/vnd.test.signature", "B's signature");
            let index = goods.index(&[about]);
            let [plain, sig, att] = about_tags(&web);
            goods.name(WEB, Some(&plain), index);
            goods.name(WEB, Some(&sig), about);
            goods.name(WEB, Some(&att), about);
        });
    }
    list.content(
        "a referrer of A's image in another repository of A's",
        Live,
        &[],
        |goods| {
            let web = Neighbour::web(goods);
            goods.name(PLAIN, None, web);
            let about = goods.referrer(web, "application/vnd.test.sbom", "B's list of parts");
            goods.name(PLAIN, None, about);
        },
    );
}

/// Another media type for A's bytes.
fn types(list: &mut List<'_>) {
    use Ground::Live;
    for (name, tag) in [
        ("", None),
        (" under A's tag", Some("m")),
        (" under a tag of its own", Some("b")),
    ] {
        list.content(
            &format!("another media type for A's manifest{name}"),
            Live,
            &[],
            |goods| {
                let plain = Neighbour::plain(goods, DOCKER_MANIFEST);
                goods.name(PLAIN, tag, plain);
            },
        );
    }
}

/// Agent images, which everybody may read.
fn public(list: &mut List<'_>) {
    for (which, kind) in [(0, "docker agent"), (1, "autoheal"), (2, "kubernetes agent")] {
        let name = format!("A's repository as {kind}");
        list.agent(&name, which, WEB, Some("b-agent"), "B agent of another kind");
        list.slow = which > 0;
        list.agent(
            &format!("{name}, by digest"),
            which,
            WEB,
            None,
            "B agent of another kind",
        );
        list.slow = false;
    }
    list.agent("A's image in A's repository as docker agent", 0, WEB, None, "A web 7.0");
    list.agent(
        "A's repository of charts as docker agent",
        0,
        CLASSIC_CHART,
        Some("b-agent"),
        "B agent",
    );
    list.agent(
        "A's agent repository as its own",
        0,
        AGENT,
        Some("b-agent"),
        "B agent of its own",
    );
    list.agent(
        "A's agent repository and tag as its own",
        0,
        AGENT,
        Some("3.1.0"),
        "B agent of its own",
    );
    list.agent(
        "A's autoheal repository as its agent's",
        0,
        AUTOHEAL,
        Some("3.1.0"),
        "B agent of its own",
    );
    list.agent("A's agent image as its own", 0, AGENT, Some("3.1.0"), "A agent");
}

/// Charts, which everybody may read from classic repositories.
fn charts(list: &mut List<'_>) {
    use ChartSource::{Oci, Repository};
    use Ground::Live;
    list.content("the tag of A's chart", Live, &[], |goods| {
        let chart = goods.chart("erp", "7.0.0", "B");
        goods.name(CLASSIC_CHART, Some("7.0.0"), chart);
    });
    for tag in ["0", "9.9.9", "7.1.0"] {
        list.content(
            &format!("a chart that says it is A's 7.0.0 under the tag {tag}"),
            Live,
            &[],
            |goods| {
                let chart = goods.chart("erp", "7.0.0", "B");
                goods.name(CLASSIC_CHART, Some(tag), chart);
            },
        );
    }
    list.content(
        "a chart of A's name in A's repository of another chart",
        Live,
        &[],
        |goods| {
            let chart = goods.chart("shop", "1.0.0", "B");
            goods.name(CLASSIC_CHART, Some("9.9.9"), chart);
        },
    );
    list.chart(
        "A's chart and version as its own, classic",
        CLASSIC_CHART,
        ("erp", "7.0.0"),
        Repository,
    );
    list.chart(
        "A's next version as its own, classic",
        CLASSIC_CHART,
        ("erp", "7.1.0"),
        Repository,
    );
    list.chart(
        "a version of its own of A's chart, classic",
        CLASSIC_CHART,
        ("erp", "9.9.9"),
        Repository,
    );
    list.chart(
        "A's chart and version as its own, from the registry",
        CLASSIC_CHART,
        ("erp", "7.0.0"),
        Oci,
    );
    list.chart(
        "A's private chart repository as a classic one",
        OCI_CHART,
        ("shop", "2.0.0"),
        Repository,
    );
}

/// What a second scope of the same vendor does to the first.
fn within(list: &mut List<'_>) {
    use Ground::{Live, Second};
    list.content("the tag 7.0 with other bytes", Live, &[HOST], |goods| {
        goods.tagged(WEB, "7.0", "A web of another scope");
    });
    list.content("a tag that the first dropped", Second, &[HOST], |goods| {
        goods.tagged(WEB, "stable", "A web of another scope");
    });
    list.content("a referrer of the first's image", Live, &[HOST], |goods| {
        let web = Neighbour::web(goods);
        goods.name(WEB, None, web);
        let about = goods.referrer(web, "application/vnd.test.sbom", "another list of parts");
        goods.name(WEB, None, about);
    });
    list.content("another media type", Live, &[HOST], |goods| {
        let plain = Neighbour::plain(goods, DOCKER_MANIFEST);
        goods.name(PLAIN, None, plain);
    });
    list.content("another media type under the same tag", Live, &[HOST], |goods| {
        let plain = Neighbour::plain(goods, DOCKER_MANIFEST);
        goods.name(PLAIN, Some("m"), plain);
    });
    list.agent(
        "a private repository as docker agent",
        0,
        WEB,
        None,
        "A agent of another scope",
    );
    list.agent(
        "the first's agent image under its tag",
        0,
        AGENT,
        Some("3.1.0"),
        "A agent of another scope",
    );
    list.chart(
        "the chart and version, classic",
        CLASSIC_CHART,
        ("erp", "7.0.0"),
        ChartSource::Repository,
    );
    let mut scene = Scene::new();
    let image = scene.goods.tagged(AUTOHEAL, "3.1.0", "A autoheal of another scope");
    scene.agents[1] = image_name(AUTOHEAL, image);
    let ids = own(list.vendor, list.statement.product, list.statement.channel, "b-1");
    let goods = scene.target("b-1", ids).goods();
    list.add(
        "the first's autoheal image under its tag",
        Live,
        &[HOST],
        goods,
        Some(ids.0),
    );
}
