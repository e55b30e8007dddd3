//! Vendor A: whom nothing that another vendor brings in may touch. Its releases, its names, its targets.

use airlock::bundle::desired::ChartSource;
use airlock::domain::{Digest, Timestamp, Uuid, oci};
use serde_json::{Value, json};

use super::fleet::{ChartUse, Fleet, deployment_id, image_name, random_id};
use super::forge::{Goods, Statement, Vendor};

/// When everything happens, far behind the time before which no version of airlock was built.
pub(super) const NOW: &str = "2027-03-01T10:00:00Z";

pub(super) const HOST: &str = "registry.a.test";
pub(super) const WEB: &str = "registry.a.test/erp/web";
pub(super) const PLAIN: &str = "registry.a.test/erp/plain";
pub(super) const AGENT: &str = "registry.a.test/distr/docker-agent";
pub(super) const AUTOHEAL: &str = "registry.a.test/distr/docker-autoheal";
pub(super) const KUBERNETES_AGENT: &str = "registry.a.test/distr/kubernetes-agent";
pub(super) const OCI_CHART: &str = "registry.a.test/charts/shop";
pub(super) const CLASSIC_CHART: &str = "registry.a.test/charts/erp";
pub(super) const SHARED: &str = "ghcr.io/acme/base";
/// A repository that A does not have, below its host.
pub(super) const NEVER: &str = "registry.a.test/erp/never";

/// A's release officer on a good day, number by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Issue {
    /// Everything.
    First,
    /// Moves `7.0`, drops `stable` and the chart 7.0.0, removes the target `hub-1`.
    Second,
    /// As the second, later.
    Third,
    /// As the first, with two targets more.
    Wider,
    /// As that, later.
    WiderLater,
}

/// Vendor A. Every part of it follows from its keys alone.
pub(super) struct Neighbour {
    pub(super) vendor: Vendor,
}

impl Issue {
    pub(super) const ALL: [Self; 5] = [Self::First, Self::Second, Self::Third, Self::Wider, Self::WiderLater];

    fn sequence(self) -> u64 {
        match self {
            Self::First => 7,
            Self::Second | Self::Wider => 8,
            Self::Third | Self::WiderLater => 9,
        }
    }

    /// When it was issued: what its import makes the floor of A's time.
    pub(super) fn issued_at(self) -> Timestamp {
        let text = match self {
            Self::First => "2027-02-27T00:00:00Z",
            Self::Second | Self::Wider => "2027-02-28T00:00:00Z",
            Self::Third | Self::WiderLater => "2027-03-01T00:00:00Z",
        };
        text.parse().unwrap()
    }

    fn dropped(self) -> bool {
        matches!(self, Self::Second | Self::Third)
    }

    fn wide(self) -> bool {
        matches!(self, Self::Wider | Self::WiderLater)
    }
}

/// A release of some product on some channel, dated like a good one, and older than all of A's: only who means to moves time.
pub(super) fn statement(product: &'static str, channel: &'static str, sequence: u64) -> Statement {
    Statement {
        product,
        channel,
        sequence,
        issued_at: "2027-02-26T12:00:00Z".parse().unwrap(),
        expires: "2028-01-01T00:00:00Z".parse().unwrap(),
        audience: json!("any"),
        home_hosts: Vec::new(),
    }
}

impl Neighbour {
    pub(super) fn new() -> Self {
        Self {
            vendor: Vendor::new(&["erp", "tools"]),
        }
    }

    /// The target whose UUID follows from words.
    pub(super) fn press(&self) -> Uuid {
        self.vendor.target_id("erp", "stable", "press-1")
    }

    /// The kubernetes target.
    pub(super) fn cluster(&self) -> Uuid {
        self.vendor.target_id("erp", "stable", "cluster")
    }

    /// A target of the first release whose UUID the hub made.
    pub(super) fn hub_target() -> Uuid {
        random_id("hub-1")
    }

    pub(super) fn hub_deployment() -> Uuid {
        random_id("hub-1 web")
    }

    /// The targets that only the wider release has: one of words, one of the hub.
    pub(super) fn wider_targets(&self) -> [Uuid; 2] {
        [self.vendor.target_id("erp", "stable", "press-2"), random_id("hub-2")]
    }

    /// Every UUID that A ever states for targets and deployments.
    pub(super) fn ids(&self) -> Vec<Uuid> {
        let (_, fleet) = self.goods(Issue::First);
        let (_, wide) = self.goods(Issue::Wider);
        let ids = fleet.ids().into_iter().chain(wide.ids());
        let mut ids: Vec<Uuid> = ids
            .flat_map(|(target, deployments)| [vec![target], deployments].concat())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// The bundle of an issue.
    pub(super) fn bundle(&self, issue: Issue) -> Vec<u8> {
        self.vendor.bundle(&self.statement(issue), &self.content(issue))
    }

    /// What A states, to be changed.
    #[expect(clippy::unused_self, reason = "it is A that states it")]
    pub(super) fn statement(&self, issue: Issue) -> Statement {
        Statement {
            issued_at: issue.issued_at(),
            home_hosts: vec![HOST],
            ..statement("erp", "stable", issue.sequence())
        }
    }

    /// What an issue carries.
    pub(super) fn content(&self, issue: Issue) -> Goods {
        let (mut goods, fleet) = self.goods(issue);
        fleet.write(&mut goods);
        goods
    }

    /// The image that the tag `7.0` of the first release stands for, in goods of anybody.
    pub(super) fn web(goods: &mut Goods) -> Digest {
        goods.image("A web 7.0")
    }

    /// The manifest that does not say what it is.
    pub(super) fn plain(goods: &mut Goods, media_type: &str) -> Digest {
        goods.unstated("A plain", media_type)
    }

    /// The revision that press-1 runs by the first release.
    pub(super) fn revision(&self) -> Uuid {
        self.goods(Issue::First).1.revision_of(self.press())
    }

    pub(super) fn goods(&self, issue: Issue) -> (Goods, Fleet) {
        let mut goods = Goods::default();
        let web = Self::web(&mut goods);
        let about = goods.referrer(web, "application/vnd.test.sbom", "A's list of parts");
        goods.name(WEB, None, about);
        let (tag, chart_version) = if issue.dropped() {
            let next = goods.image("A web 8.0");
            goods.name(WEB, Some("7.0"), next);
            goods.name(WEB, None, web);
            (format!("{}.0", issue.sequence()), "7.1.0")
        } else {
            goods.name(WEB, Some("7.0"), web);
            ("stable".to_owned(), "7.0.0")
        };
        goods.name(WEB, Some(&tag), web);
        let plain = Self::plain(&mut goods, oci::OCI_MANIFEST);
        goods.name(PLAIN, Some("m"), plain);
        goods.tagged(SHARED, "1", "A base");
        let agent = goods.tagged(AGENT, "3.1.0", "A agent");
        let autoheal = goods.tagged(AUTOHEAL, "3.1.0", "A autoheal");
        let kubernetes = goods.tagged(KUBERNETES_AGENT, "3.1.0", "A kubernetes agent");
        let shop = goods.chart("shop", "1.0.0", "A");
        goods.name(OCI_CHART, Some("1.0.0"), shop);
        let erp = goods.chart("erp", chart_version, "A");
        goods.name(CLASSIC_CHART, Some(chart_version), erp);

        let mut fleet = Fleet::default();
        let version = Uuid::derived("agent-version", &["3.1.0"]);
        fleet.agent(
            version,
            Some(image_name(AGENT, agent)),
            Some(image_name(AUTOHEAL, autoheal)),
            Some(image_name(KUBERNETES_AGENT, kubernetes)),
        );
        let text = format!("A{}", issue.sequence());
        let image = image_name(WEB, web);
        let press = self.press();
        let ids = (press, deployment_id(press, "web"));
        fleet.docker(&mut goods, version, "press-1", ids, image.clone(), &text);
        let ids = (Self::hub_target(), Self::hub_deployment());
        if issue.dropped() {
            fleet.remove(&[Self::hub_target()]);
        } else {
            fleet.docker(&mut goods, version, "hub-1", ids, image.clone(), &text);
            fleet.verify(ids.0);
        }
        let charts = [
            (OCI_CHART, "shop", "1.0.0", shop, ChartSource::Oci),
            (CLASSIC_CHART, "erp", chart_version, erp, ChartSource::Repository),
        ];
        let charts = charts.map(|(repository, name, version, digest, source)| ChartUse {
            repository,
            name,
            version,
            digest,
            source,
        });
        fleet.kubernetes(&mut goods, version, "cluster", self.cluster(), &charts, &text);
        if issue.wide() {
            let [press, hub] = self.wider_targets();
            let ids = (press, deployment_id(press, "web"));
            fleet.docker(&mut goods, version, "press-2", ids, image.clone(), &text);
            fleet.docker(
                &mut goods,
                version,
                "hub-2",
                (hub, random_id("hub-2 web")),
                image,
                &text,
            );
        }
        (goods, fleet)
    }
}

/// A list of sites in which this one is not.
pub(super) fn another_site() -> Value {
    json!(["f".repeat(32)])
}
