//! Every secret of this site: who asks for it, where its value comes from, and whether it is here. Never a value.

use std::collections::BTreeMap;

use super::stated;
use super::uses::{Decided, NeededSecret, Place, uses};
use super::vault::Vault;
use crate::appliance::state::Appliance;
use crate::bundle::desired::SecretUse;
use crate::db::site::kept_secrets::{self, KeptSecret, Origin};
use crate::db::site::release::{ReleaseRow, State};
use crate::domain::{Result, Scope, SecretName, Timestamp, Uuid};

/// A secret of a product at this site: one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretView {
    /// Whose it is.
    pub scope: Scope,
    /// Name of the vendor; none where its pin cannot be read.
    pub vendor: Option<String>,
    /// Its name.
    pub name: SecretName,
    /// The one target that the value is for, with its name; none for the whole site.
    pub target: Option<(Uuid, String)>,
    /// What the release that speaks for it says; none where no release here has it any more.
    pub declared: Option<SecretUse>,
    /// Who uses it, as `web on press-1`.
    pub used_by: Vec<String>,
    /// Whether the live release, one that may go live next, or only an earlier one needs it.
    pub needed: Needed,
    /// What was entered or made here, and since when.
    pub kept: Option<(Origin, Timestamp)>,
    /// Since when a value that was kept here is forgotten; it is taken out of texts still.
    pub forgotten: Option<Timestamp>,
    /// Whether the value that the release asks for is here.
    pub is_here: bool,
    /// What tells the value that is kept, or forgotten, from any other one: its file.
    pub(super) file: Option<String>,
}

impl SecretView {
    /// Names it: `SMTP_PASSWORD of press-1`.
    pub fn label(&self) -> String {
        match &self.target {
            Some((_, target)) => format!("{} of {target}", self.name),
            None => self.name.to_string(),
        }
    }

    /// What it is once no release here has it, and no value of it is kept.
    pub(super) fn gone(&self) -> Self {
        Self {
            declared: None,
            used_by: Vec::new(),
            needed: Needed::Nobody,
            kept: None,
            forgotten: None,
            is_here: false,
            file: None,
            ..self.clone()
        }
    }
}

/// Who needs a secret, the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needed {
    /// The live release.
    Live,
    /// A release that is here and newer than the live one.
    Next,
    /// Only a release that was live earlier, or was passed over.
    Earlier,
    /// No release that is here.
    Nobody,
}

/// A release, what it needs here, and what of that is there.
struct OfRelease {
    needed: Needed,
    uses: Vec<(NeededSecret, bool)>,
}

impl Appliance {
    /// Returns every secret that a release here has, and every value that is kept, by product, vendor, name and target.
    ///
    /// # Errors
    ///
    /// `E-STATE` when what the live release or the newest one says cannot be read; those of the database.
    pub fn secrets(&self) -> Result<Vec<SecretView>> {
        let (decided, kept) = self
            .db
            .read(|connection| Ok((Decided::read(connection)?, kept_secrets::list(connection)?)))?;
        let mut scopes: BTreeMap<Scope, Vec<ReleaseRow>> = BTreeMap::new();
        for release in self.releases()? {
            scopes.entry(release.scope.clone()).or_default().push(release);
        }
        let mut views = Vec::new();
        for (scope, releases) in &scopes {
            let all = self.of_releases(scope, releases, &decided, &kept)?;
            views.extend(self.of_scope(scope, &all, &decided, &kept));
        }
        views.sort_by(|a, b| {
            let key = |view: &SecretView| {
                let scope = &view.scope;
                (
                    scope.product.clone(),
                    scope.channel.clone(),
                    scope.domain,
                    view.name.clone(),
                    view.target.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        Ok(views)
    }

    /// What each release of a scope needs, the one that speaks first.
    fn of_releases(
        &self,
        scope: &Scope,
        releases: &[ReleaseRow],
        decided: &Decided,
        kept: &[KeptSecret],
    ) -> Result<Vec<OfRelease>> {
        let live = releases
            .iter()
            .find(|release| release.state == State::Active)
            .map(|live| live.counter);
        let mut all = Vec::new();
        for release in releases {
            let needed = match (release.state, live) {
                (State::Active, _) => Needed::Live,
                (_, Some(live)) if release.counter < live => Needed::Earlier,
                _ => Needed::Next,
            };
            // What an earlier one says hides nothing when it cannot be read.
            let read = self.of_release(scope, release, decided, kept);
            match (read, needed) {
                (Ok(uses), _) => all.push(OfRelease { needed, uses }),
                (Err(_), Needed::Earlier) => {}
                (Err(error), _) => return Err(error),
            }
        }
        // The newest one that may go live speaks first, then the live one; releases come newest first.
        all.sort_by_key(|one: &OfRelease| match one.needed {
            Needed::Next => 0,
            Needed::Live => 1,
            Needed::Earlier | Needed::Nobody => 2,
        });
        Ok(all)
    }

    fn of_release(
        &self,
        scope: &Scope,
        release: &ReleaseRow,
        decided: &Decided,
        kept: &[KeptSecret],
    ) -> Result<Vec<(NeededSecret, bool)>> {
        let Some(document) = stated::document(self, release)? else {
            return Ok(Vec::new());
        };
        let sealed = stated::sealed_for_site(self, release, &document)?;
        let vault = Vault::new(self.folder(), scope, kept, sealed);
        let uses = uses(&document.state, scope, self.site(), decided).into_iter();
        Ok(uses
            .map(|used| {
                let is_here = vault.has(&used);
                (used, is_here)
            })
            .collect())
    }

    fn of_scope(&self, scope: &Scope, all: &[OfRelease], decided: &Decided, kept: &[KeptSecret]) -> Vec<SecretView> {
        let vendor = self.chain(scope.domain).ok().map(|chain| chain.newest().vendor.clone());
        let mut views: BTreeMap<Place, SecretView> = BTreeMap::new();
        for one in all {
            for (used, is_here) in &one.uses {
                let view = views.entry(used.place()).or_insert_with(|| SecretView {
                    scope: scope.clone(),
                    vendor: vendor.clone(),
                    name: used.name.clone(),
                    target: used.target.as_ref().map(|target| (target.id, target.name.clone())),
                    declared: Some(used.declared.clone()),
                    used_by: used.used_by.clone(),
                    needed: one.needed,
                    kept: None,
                    forgotten: None,
                    is_here: *is_here,
                    file: None,
                });
                view.needed = view.needed.min(one.needed);
                view.is_here &= *is_here || one.needed == Needed::Earlier;
            }
        }
        for row in kept.iter().filter(|row| row.scope == *scope) {
            let named = |id: Uuid| {
                let local = decided.locals.iter().find(|local| local.id == id);
                (id, local.map_or_else(|| id.to_string(), |local| local.name.clone()))
            };
            let view = views
                .entry((row.name.clone(), row.target))
                .or_insert_with(|| SecretView {
                    scope: scope.clone(),
                    vendor: vendor.clone(),
                    name: row.name.clone(),
                    target: row.target.map(named),
                    declared: None,
                    used_by: Vec::new(),
                    needed: Needed::Nobody,
                    kept: None,
                    forgotten: None,
                    is_here: true,
                    file: None,
                });
            view.file = Some(row.file.clone());
            if row.counts() {
                view.kept = Some((row.origin, row.at));
            } else {
                view.forgotten = Some(row.at);
            }
        }
        views.into_values().collect()
    }
}
