//! The wall of UUIDs between vendors, products and channels (D18 b, K22, K23): who states a target first has it, for good.

use std::sync::Arc;

use airlock::appliance::fleet::{Hub, Identity, Login, Removal, Token};
use airlock::appliance::{Appliance, Event, Imported, Options, Outcome};
use airlock::crypto::Chain;
use airlock::db::site::targets::Undeploy;
use airlock::domain::{Class, Clock as _, Digest, Error, Hash, Result, Step, Uuid};
use serde_json::Value;
use tempfile::TempDir;

use super::rules::{log, one};
use crate::support::appliance::{import_here_telling, scratch, write};
use crate::support::bundles::{Made, Vendor};
use crate::support::desired::{Desired, deployment_id, revision_id, target_id};
use crate::support::in_process::{InProcessAppliance, login, resources};
use crate::support::state_fingerprint::StateFingerprint;

/// The vendor A, who is the instance's, and B, pinned beside it.
struct Wall {
    a: InProcessAppliance,
    b: Vendor,
    folder: TempDir,
}

/// How an import ended that was not refused, with what was told meanwhile.
struct Told {
    imported: Imported,
    notes: Vec<String>,
}

impl Wall {
    fn new() -> Self {
        let (a, b) = (InProcessAppliance::new(), Vendor::new());
        let chain = Chain::parse(&b.chain_file()).unwrap();
        let appliance = a.appliance();
        appliance.pin(&chain, a.clock.now()).unwrap();
        Self {
            a,
            b,
            folder: scratch(),
        }
    }

    fn try_import(&self, made: &Made, options: &Options) -> Result<Told> {
        let path = self.folder.path().join("bundle");
        write(&path, &made.bytes);
        let mut notes = Vec::new();
        let imported = import_here_telling(&self.a.appliance(), &path, options, &self.a.clock, &mut |event| {
            if let Event::Note(note) = event {
                notes.push(note);
            }
        })?;
        Ok(Told { imported, notes })
    }

    #[track_caller]
    fn import(&self, made: &Made) -> Told {
        self.try_import(made, &Options::default()).unwrap()
    }

    /// Every way to import it is refused at X13, and leaves a row in the log and nothing else.
    #[track_caller]
    fn refused(&self, made: &Made, parts: &[&str]) {
        for (dry_run, keep_inactive) in [(false, false), (false, true), (true, false), (true, true)] {
            let options = Options {
                dry_run,
                keep_inactive,
                ..Options::default()
            };
            let before = StateFingerprint::of(&self.a.state());
            let error = self
                .try_import(made, &options)
                .map(|told| told.imported.result)
                .unwrap_err();
            assert_foreign(&error, Step::X13, parts);
            assert_eq!(
                StateFingerprint::of(&self.a.state()).differs_from(&before, false, false),
                None
            );
            let (action, detail) = self.last_row();
            assert_eq!(action, "refuse");
            assert_eq!(
                (&detail["class"], &detail["code"], &detail["step"]),
                (&"E-POLICY".into(), &"foreign-target".into(), &"X13".into()),
                "{detail}"
            );
        }
    }

    /// Making the release live is refused, and changes nothing.
    #[track_caller]
    fn cannot_go_live(&self, product: &str, sequence: u64, parts: &[&str]) {
        let appliance = self.a.appliance();
        let head = head(&appliance, product, sequence);
        let rows = log(&self.a).len();
        for undeploy in [Undeploy::AsSigned, Undeploy::Everything] {
            let error = appliance.activate(head, undeploy, self.a.clock.now()).unwrap_err();
            assert_foreign(&error, Step::X15, parts);
        }
        assert_eq!(log(&self.a).len(), rows);
    }

    #[track_caller]
    fn goes_live(&self, product: &str, sequence: u64) {
        let appliance = self.a.appliance();
        let head = head(&appliance, product, sequence);
        appliance
            .activate(head, Undeploy::Everything, self.a.clock.now())
            .unwrap();
    }

    fn last_row(&self) -> (String, Value) {
        let (action, detail) = log(&self.a).pop().unwrap();
        (action, serde_json::from_str(&detail).unwrap())
    }

    fn domain_of_a(&self) -> Hash {
        Chain::parse(&self.a.vendor.chain_file()).unwrap().domain()
    }
}

#[track_caller]
fn assert_foreign(error: &Error, step: Step, parts: &[&str]) {
    assert_eq!(
        (error.class(), error.code(), error.step()),
        (Class::Policy, "foreign-target", Some(step)),
        "{error}"
    );
    assert!(error.expectation().is_some() && error.advice().is_some(), "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} in {error}");
    }
}

/// The head of a release, of a product or PRODUCT/CHANNEL.
fn head(appliance: &Appliance, product: &str, sequence: u64) -> Hash {
    let releases = appliance.releases().unwrap();
    let of = |scope: &airlock::domain::Scope| scope.to_string() == product || scope.product.as_str() == product;
    let mut found = releases
        .iter()
        .filter(|release| of(&release.scope) && release.counter.sequence == sequence);
    let head = found.next().unwrap().head;
    assert!(found.next().is_none(), "{product} {sequence} is not one release");
    head
}

/// A release with the target `edge-0`.
fn stating(vendor: &Vendor, scope: (&str, &str), sequence: u64, text: &str) -> Made {
    vendor.with_targets_in(scope, sequence, |image| Desired::docker(image, 1, text))
}

/// One without it, which says that it shall go.
fn removing(vendor: &Vendor, scope: (&str, &str), sequence: u64, own: bool) -> Made {
    vendor.with_targets_in(scope, sequence, |image| {
        let gone: &[&str] = if own { &["edge-0"] } else { &["edge-0", "edge-1"] };
        Desired::docker(image, 2, "gone")
            .without(gone)
            .removing(&[target_id("edge-0"), deployment_id("edge-0")])
    })
}

const CRM: (&str, &str) = ("crm", "stable");
const BETA: (&str, &str) = ("crm", "beta");
const ERP: (&str, &str) = ("erp", "stable");

/// An agent that is logged in.
struct Agent {
    id: Uuid,
    secret: String,
    token: Token,
}

impl Agent {
    #[track_caller]
    fn enrol(hub: &Hub, id: Uuid) -> Self {
        let secret = hub.issue_secret(&id, false).unwrap().as_str().to_owned();
        let token = Self::token(hub, id, &secret);
        Self { id, secret, token }
    }

    #[track_caller]
    fn token(hub: &Hub, id: Uuid, secret: &str) -> Token {
        match hub.login(&id, secret).unwrap() {
            Login::Token(token) => token,
            other => panic!("{other:?}"),
        }
    }

    fn is_in(&self, hub: &Hub) -> Option<Arc<Identity>> {
        hub.identify(self.token.as_str())
    }

    fn may_log_in(&self, hub: &Hub) -> bool {
        login(hub, &self.id, &self.secret).is_some()
    }

    /// Neither its token nor its secret is worth anything.
    #[track_caller]
    fn assert_out(&self, hub: &Hub) {
        assert!(self.is_in(hub).is_none(), "its token works");
        assert!(!self.may_log_in(hub), "its secret works");
    }

    /// Both work, and it is told to run the text.
    #[track_caller]
    fn assert_runs(&self, hub: &Hub, text: &str) {
        let identity = self.is_in(hub).expect("its token works");
        assert!(self.may_log_in(hub), "its secret works");
        let revision = &resources(hub, &identity)["deployments"][0]["revisionId"];
        assert_eq!(*revision, revision_id("edge-0", text).to_string());
    }
}

#[test]
fn k23_a_uuid_is_its_first_vendors_before_it_is_live_while_it_is_and_after() {
    let wall = Wall::new();
    let (target, deployment) = (target_id("edge-0").to_string(), deployment_id("edge-0").to_string());
    let whole = stating(&wall.b, CRM, 1, "b");
    let only_deployment = wall.b.with_targets(1, |image| {
        let mut desired = Desired::docker(image, 1, "b");
        desired.target("edge-0").id = target_id("of-b");
        desired
    });
    let owner = format!("belongs to the product crm of the trust domain {}", wall.domain_of_a());
    let remedy = format!("`airlock target free {target}`");
    let check = || {
        wall.refused(
            &whole,
            &[
                &target,
                &owner,
                &remedy,
                &deployment,
                &format!("`airlock target free {deployment}`"),
            ],
        );
        wall.refused(&only_deployment, &[&deployment, &owner]);
        // Under another name of a product as well.
        wall.refused(&stating(&wall.b, ERP, 1, "b"), &[&target, &owner]);
    };
    wall.a.import(&stating(&wall.a.vendor, CRM, 1, "a"), true).unwrap();
    check();
    wall.goes_live("crm", 1);
    let hub = wall.a.hub();
    let agent = Agent::enrol(&hub, target_id("edge-0"));
    check();
    hub.refresh().unwrap();
    agent.assert_runs(&hub, "a");
    wall.import(&removing(&wall.a.vendor, CRM, 2, false));
    hub.refresh().unwrap();
    agent.assert_out(&hub);
    check();
    // It comes back to A alone: with its secret, and without the tokens of before.
    wall.import(&stating(&wall.a.vendor, CRM, 3, "again"));
    hub.refresh().unwrap();
    assert!(agent.is_in(&hub).is_none(), "a token of before");
    assert!(agent.may_log_in(&hub));

    // What is B's own comes in, under the very agent version that A has: those are nobody's.
    let own = wall
        .b
        .with_targets(1, |image| Desired::docker(image, 3, "b").without(&["edge-0", "edge-1"]));
    wall.import(&own);
    assert_eq!(wall.a.hub().targets().len(), 2);
}

#[test]
fn k23_anothers_uuid_in_removed_imports_and_nothing_of_its_owner_changes() {
    for scope in [CRM, ERP] {
        let wall = Wall::new();
        wall.import(&stating(&wall.a.vendor, CRM, 1, "a"));
        let hub = wall.a.hub();
        let agent = Agent::enrol(&hub, target_id("edge-0"));
        // Another vendor, and another product of the same.
        let vendor = if scope == CRM { &wall.b } else { &wall.a.vendor };
        let told = wall.import(&removing(vendor, scope, 1, true));
        assert!(matches!(
            told.imported.result,
            Outcome::Published {
                activated: Some(_),
                held: None,
                ..
            }
        ));
        hub.refresh().unwrap();
        agent.assert_runs(&hub, "a");
        // It claimed nothing by that either: A goes on, and the other cannot state it.
        wall.refused(&stating(vendor, scope, 2, "b"), &["belongs to the product crm"]);
        wall.import(&stating(&wall.a.vendor, CRM, 2, "a2"));
        hub.refresh().unwrap();
        agent.assert_runs(&hub, "a2");
    }
}

#[test]
fn a_squatter_is_sent_away_and_takes_nothing_along() {
    let wall = Wall::new();
    let id = target_id("edge-0");
    wall.import(&stating(&wall.b, CRM, 1, "b"));
    let hub = wall.a.hub();
    let theirs = Agent::enrol(&hub, id);
    theirs.assert_runs(&hub, "b");
    let ours = stating(&wall.a.vendor, CRM, 1, "a");
    wall.refused(&ours, &[&id.to_string(), "belongs to the product crm"]);

    for id in [id, deployment_id("edge-0")] {
        assert!(hub.free(&id).unwrap().is_some());
        let (action, detail) = wall.last_row();
        assert_eq!(
            (action.as_str(), detail["id"].clone()),
            ("target-free", id.to_string().into())
        );
        assert_eq!(detail["product"], "crm");
        assert!(hub.free(&id).unwrap().is_none(), "it is nobody's already");
    }
    theirs.assert_out(&hub);
    assert!(hub.targets().is_empty());
    wall.cannot_go_live_again_after(&stating(&wall.b, CRM, 2, "b2"), 1);

    wall.import(&ours);
    hub.refresh().unwrap();
    theirs.assert_out(&hub);
    let agent = Agent::enrol(&hub, id);
    agent.assert_runs(&hub, "a");
    theirs.assert_out(&hub);
    assert_eq!(one(&hub, "edge-0").scope.domain, wall.domain_of_a());
    assert_eq!(
        hub.find_removed("edge-0"),
        airlock::appliance::fleet::TargetChoice::None(vec![])
    );
    // Of what the other ran nothing is known under it.
    let identity = agent.is_in(&hub).unwrap();
    assert_eq!(hub.revision(&identity, &revision_id("edge-0", "b")).unwrap(), None);
    assert!(hub.revision(&identity, &revision_id("edge-0", "a")).unwrap().is_some());
    // The other is refused by name from now on, live or not.
    wall.refused(&stating(&wall.b, CRM, 3, "b3"), &["belongs to the product crm"]);
    wall.cannot_go_live_of_b(1, &["was let go here", "belongs to the product crm"]);
    // And may drop it without a word.
    let without = wall
        .b
        .with_targets(3, |image| Desired::docker(image, 2, "b3").without(&["edge-0"]));
    wall.import(&without);
    hub.refresh().unwrap();
    agent.assert_runs(&hub, "a");
}

impl Wall {
    /// Imports a release of B that states what was let go, which counts as removed here then, and tries an earlier one.
    #[track_caller]
    fn cannot_go_live_again_after(&self, later: &Made, earlier: u64) {
        let told = self.import(later);
        assert!(matches!(
            told.imported.result,
            Outcome::Published { activated: Some(_), .. }
        ));
        let hub = self.a.hub();
        assert!(hub.targets().is_empty(), "it counts as removed here");
        self.cannot_go_live_of_b(earlier, &["was let go here"]);
    }

    #[track_caller]
    fn cannot_go_live_of_b(&self, sequence: u64, parts: &[&str]) {
        let appliance = self.a.appliance();
        let domain = Chain::parse(&self.b.chain_file()).unwrap().domain();
        let releases = appliance.releases().unwrap();
        let release = releases
            .iter()
            .find(|release| release.scope.domain == domain && release.counter.sequence == sequence)
            .unwrap();
        let error = appliance
            .activate(release.head, Undeploy::Everything, self.a.clock.now())
            .unwrap_err();
        assert_foreign(&error, Step::X15, parts);
    }
}

#[test]
fn what_was_let_go_by_mistake_comes_back_while_it_is_nobodys() {
    let wall = Wall::new();
    let id = target_id("edge-0");
    wall.import(&stating(&wall.a.vendor, CRM, 1, "a"));
    let hub = wall.a.hub();
    let before = Agent::enrol(&hub, id);
    hub.free(&id).unwrap();
    wall.import(&stating(&wall.a.vendor, CRM, 2, "a2"));
    hub.refresh().unwrap();
    assert!(hub.targets().is_empty());
    wall.cannot_go_live("crm", 1, &["was let go here"]);
    assert!(hub.remove_target(&id, Removal::Restore).unwrap());
    before.assert_out(&hub);
    Agent::enrol(&hub, id).assert_runs(&hub, "a2");
    wall.refused(&stating(&wall.b, CRM, 1, "b"), &["belongs to the product crm"]);
    wall.goes_live("crm", 1);
    hub.refresh().unwrap();
    assert_eq!(one(&hub, "edge-0").counter.sequence, 1);
}

#[test]
fn between_products_a_uuid_goes_over_once_the_live_release_lets_it_go() {
    let wall = Wall::new();
    let vendor = &wall.a.vendor;
    let id = target_id("edge-0");
    wall.import(&stating(vendor, CRM, 1, "a"));
    let hub = wall.a.hub();
    let before = Agent::enrol(&hub, id);
    let next = stating(vendor, ERP, 1, "erp");
    wall.refused(&next, &["belongs to the product crm"]);
    // That it is available says nothing yet.
    wall.a.import(&removing(vendor, CRM, 2, false), true).unwrap();
    wall.refused(&next, &["belongs to the product crm"]);
    hub.refresh().unwrap();
    before.assert_runs(&hub, "a");
    wall.goes_live("crm", 2);
    // Another vendor gets nothing by it.
    wall.refused(&stating(&wall.b, ERP, 1, "b"), &["belongs to the product crm"]);

    let dry = Options {
        dry_run: true,
        ..Options::default()
    };
    wall.try_import(&next, &dry).unwrap();
    // Whether or not it goes live.
    wall.a.import(&next, true).unwrap();
    let (action, detail) = wall.last_row();
    assert_eq!(action, "import");
    let ids: Vec<&str> = detail["taken_over"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    assert_eq!(ids, [id.to_string(), deployment_id("edge-0").to_string()]);
    hub.refresh().unwrap();
    before.assert_out(&hub);
    wall.cannot_go_live(
        "crm",
        1,
        &["went over to another product", "belongs to the product erp"],
    );
    wall.refused(&stating(vendor, CRM, 3, "back"), &["belongs to the product erp"]);
    wall.goes_live("erp", 1);
    hub.refresh().unwrap();
    before.assert_out(&hub);
    Agent::enrol(&hub, id).assert_runs(&hub, "erp");
    before.assert_out(&hub);
    // It can come back the same way, and what was lost stays lost.
    wall.import(&removing(vendor, ERP, 2, false));
    wall.import(&stating(vendor, CRM, 3, "back"));
    hub.refresh().unwrap();
    before.assert_out(&hub);
    Agent::enrol(&hub, id).assert_runs(&hub, "back");
    wall.cannot_go_live("crm", 1, &["went over to another product"]);
}

#[test]
fn a_target_that_goes_over_takes_its_deployments_along_and_no_others() {
    let wall = Wall::new();
    let vendor = &wall.a.vendor;
    wall.import(&vendor.with_targets(1, |image| Desired::docker(image, 2, "a")));
    let gone = vendor.with_targets(2, |image| {
        Desired::docker(image, 2, "a")
            .without(&["edge-0"])
            .removing(&[target_id("edge-0")])
    });
    wall.import(&gone);
    let moved = vendor.with_targets_of("erp", 1, |image| {
        let mut desired = Desired::docker(image, 1, "b");
        desired.target("edge-0").deployments[0].id = deployment_id("edge-1");
        desired
    });
    wall.refused(
        &moved,
        &[&deployment_id("edge-1").to_string(), "belongs to the product crm"],
    );
    wall.import(&stating(vendor, ERP, 1, "b"));
    let hub = wall.a.hub();
    Agent::enrol(&hub, target_id("edge-0")).assert_runs(&hub, "b");
}

#[test]
fn of_two_channels_the_one_that_had_it_live_first_has_it() {
    let wall = Wall::new();
    let vendor = &wall.a.vendor;
    let id = target_id("edge-0");
    wall.import(&stating(vendor, CRM, 1, "stable"));
    let hub = wall.a.hub();
    let agent = Agent::enrol(&hub, id);
    let beta = stating(vendor, BETA, 1, "beta");
    let dry = Options {
        dry_run: true,
        ..Options::default()
    };
    let told = wall.try_import(&beta, &dry).unwrap();
    let why = format!("it cannot go live (foreign-target): it states {id}, which the live release of crm/stable has");
    assert!(matches!(&told.imported.result, Outcome::DryRun { held: Some(held) } if held.to_string() == why));
    assert_eq!(told.notes, [why.as_str()]);
    let (action, detail) = wall.last_row();
    assert_eq!(
        (action.as_str(), &detail["held"]["id"]),
        ("dry-run", &id.to_string().into())
    );

    let told = wall.import(&beta);
    let Outcome::Published { activated, held, .. } = told.imported.result else {
        panic!("it was not published")
    };
    assert_eq!((activated, held.unwrap().to_string()), (None, why.clone()));
    assert_eq!(told.notes, [why]);
    let (action, detail) = wall.last_row();
    assert_eq!(action, "import");
    assert_eq!(
        detail["held"],
        serde_json::json!({"channel": "stable", "code": "foreign-target", "id": id, "product": "crm"})
    );
    hub.refresh().unwrap();
    agent.assert_runs(&hub, "stable");
    wall.cannot_go_live("crm/beta", 1, &[&id.to_string(), "the live release of crm/stable has"]);

    // That channel lets it go: its tokens are dead, its secret is the product's.
    wall.import(&removing(vendor, CRM, 2, false));
    wall.goes_live("crm/beta", 1);
    hub.refresh().unwrap();
    assert!(agent.is_in(&hub).is_none() && agent.may_log_in(&hub));
    let identity = login(&hub, &id, &agent.secret).unwrap();
    assert_eq!(identity.scope.to_string(), "crm/beta");
    let fresh = Agent::token(&hub, id, &agent.secret);
    wall.cannot_go_live("crm/stable", 1, &["the live release of crm/beta has"]);
    // What that channel says of it now touches it no more.
    wall.import(&removing(vendor, CRM, 3, true));
    hub.refresh().unwrap();
    assert!(hub.identify(fresh.as_str()).is_some());
}

#[test]
fn removal_ends_tokens_and_keeps_the_secret_for_the_same_owner() {
    let wall = Wall::new();
    let id = target_id("edge-0");
    wall.import(&stating(&wall.a.vendor, CRM, 1, "a"));
    let hub = wall.a.hub();
    let agent = Agent::enrol(&hub, id);
    assert!(hub.remove_target(&id, Removal::Remove).unwrap());
    agent.assert_out(&hub);
    assert!(hub.remove_target(&id, Removal::Restore).unwrap());
    assert!(agent.is_in(&hub).is_none() && agent.may_log_in(&hub));
    // It is A's all the same: B's release has nothing to do with it.
    hub.remove_target(&id, Removal::Remove).unwrap();
    wall.refused(&stating(&wall.b, CRM, 1, "b"), &["belongs to the product crm"]);
}

#[test]
fn a_target_made_here_is_its_templates_products() {
    let wall = Wall::new();
    let id = target_id("edge-0");
    wall.import(&stating(&wall.a.vendor, CRM, 1, "a"));
    let hub = wall.a.hub();
    let local = hub.add_target("spare", &id).unwrap();
    let agent = Agent::enrol(&hub, local);
    let with = |vendor: &Vendor, product: &str, sequence| {
        vendor.with_targets_of(product, sequence, |image: Digest| {
            let mut desired = Desired::docker(image, 2, "x").without(&["edge-0"]);
            desired.target("edge-1").id = local;
            desired
        })
    };
    let owner = "belongs to the product crm";
    wall.refused(&with(&wall.b, "crm", 1), &[&local.to_string(), owner]);
    wall.refused(&with(&wall.a.vendor, "erp", 1), &[owner]);
    wall.refused(&with(&wall.a.vendor, "crm", 2), &["is a target made here"]);
    for (id, code) in [(local, "uuid"), (id, "template"), (target_id("nobody"), "uuid")] {
        let before = StateFingerprint::of(&wall.a.state());
        let error = hub.free(&id).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Usage, code), "{error}");
        assert_eq!(StateFingerprint::of(&wall.a.state()), before);
    }
    assert!(agent.is_in(&hub).is_some());
    // Removed with its template it loses its tokens, and never follows another product.
    wall.import(&removing(&wall.a.vendor, CRM, 2, false));
    wall.import(&stating(&wall.a.vendor, ERP, 1, "erp"));
    hub.refresh().unwrap();
    agent.assert_out(&hub);
    assert_eq!(hub.orphans(), [(local, "spare".to_owned())]);
    // Its UUID stays that product's when it is gone.
    hub.remove_target(&local, Removal::Remove).unwrap();
    wall.refused(&with(&wall.b, "crm", 1), &[owner]);
}
