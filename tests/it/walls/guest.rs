//! Vendor B: whoever else is pinned here, and whatever B may think of.

use airlock::bundle::desired::ImageName;
use airlock::domain::{Digest, Uuid};

use super::fleet::{Fleet, deployment_id, image_name, random_id};
use super::forge::{Goods, Statement, Vendor};
use super::neighbour::statement;

pub(super) const HOST: &str = "registry.b.test";
const WEB: &str = "registry.b.test/b/web";

/// A release in the making: images of its own, and an agent version that a test may turn on others' names.
pub(super) struct Scene {
    pub(super) goods: Goods,
    pub(super) fleet: Fleet,
    /// Docker agent, autoheal, kubernetes agent.
    pub(super) agents: [ImageName; 3],
    pub(super) version: Uuid,
    pub(super) image: ImageName,
}

/// B's good release number 1, which a test changes.
pub(super) fn release() -> Statement {
    statement("app", "stable", 1)
}

/// A target and its deployment under UUIDs of B's own.
pub(super) fn own(vendor: &Vendor, product: &str, channel: &str, name: &str) -> (Uuid, Uuid) {
    let target = vendor.target_id(product, channel, name);
    (target, deployment_id(target, "web"))
}

impl Scene {
    pub(super) fn new() -> Self {
        let mut goods = Goods::default();
        let mut put = |repository: &str, text: &str| image_name(repository, goods.tagged(repository, "1", text));
        let agents = [
            put("registry.b.test/b/docker-agent", "B agent"),
            put("registry.b.test/b/docker-autoheal", "B autoheal"),
            put("registry.b.test/b/kubernetes-agent", "B kubernetes agent"),
        ];
        let image = put(WEB, "B web");
        Self {
            goods,
            fleet: Fleet::default(),
            agents,
            version: random_id("B's agent version"),
            image,
        }
    }

    /// Lets one of the agent images be one of another repository.
    pub(super) fn agent(mut self, which: usize, repository: &str, digest: Digest) -> Self {
        self.agents[which] = image_name(repository, digest);
        self
    }

    /// Adds a docker target.
    pub(super) fn target(mut self, name: &str, ids: (Uuid, Uuid)) -> Self {
        let image = self.image.clone();
        self.fleet
            .docker(&mut self.goods, self.version, name, ids, image, &format!("B {name}"));
        self
    }

    pub(super) fn removing(mut self, ids: &[Uuid]) -> Self {
        self.fleet.remove(ids);
        self
    }

    /// What is to be carried.
    pub(super) fn goods(self) -> Goods {
        let Self {
            mut goods,
            mut fleet,
            agents: [docker, autoheal, kubernetes],
            version,
            ..
        } = self;
        fleet.agent(version, Some(docker), Some(autoheal), Some(kubernetes));
        fleet.write(&mut goods);
        goods
    }
}
