//! Home hosts and owners of hosts, as one who asks sees them (D8, D18 c).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::db::site::name_claims::HomeRow;
use crate::db::site::names::{Answers, Candidate};
use crate::db::site::release::ScopeId;
use crate::domain::{Hash, RepositoryName, RepositoryPattern};

/// Home hosts in the order in which they are asked, and whose hosts are.
#[derive(Debug, Clone)]
pub(super) struct Homes {
    pub(super) stated: Vec<HomeRow>,
    owners: BTreeMap<String, Hash>,
    /// The scope that asks for its own alone.
    alone: Option<ScopeId>,
    /// The repositories that may be asked for, where these are not all.
    only: Option<Arc<[RepositoryPattern]>>,
}

impl Homes {
    pub(super) fn new(stated: Vec<HomeRow>, owners: BTreeMap<String, Hash>, alone: Option<ScopeId>) -> Self {
        Self {
            stated,
            owners,
            alone,
            only: None,
        }
    }

    /// Returns what a scope sees: its own home hosts, and no claim of others.
    pub(super) fn of_scope(&self, scope: ScopeId) -> Self {
        let stated = self.stated.iter().filter(|home| home.scope == scope);
        Self::new(stated.cloned().collect(), BTreeMap::new(), Some(scope))
    }

    /// Narrows what may be asked for.
    pub(super) fn only(mut self, repositories: Arc<[RepositoryPattern]>) -> Self {
        self.only = Some(repositories);
        self
    }

    /// Whether a repository may be asked for.
    pub(super) fn admits(&self, repository: &RepositoryName) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.admits(repository)))
    }

    pub(super) fn owners(&self) -> &BTreeMap<String, Hash> {
        &self.owners
    }

    /// Returns the domain that the host of a repository belongs to.
    pub(super) fn owner(&self, repository: &RepositoryName) -> Option<Hash> {
        let host = repository.as_str().split('/').next().unwrap_or_default();
        self.owners.get(host).copied()
    }

    pub(super) fn candidate(&self, repository: RepositoryName, answers: Answers) -> Candidate {
        Candidate {
            host_owner: self.owner(&repository),
            answers: self.alone.map_or(answers, Answers::Alone),
            repository,
        }
    }
}
