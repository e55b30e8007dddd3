//! Who may read, of one generation: found by the secret that is shown.

use std::collections::HashMap;
use std::sync::Arc;

use crate::appliance::live::Generation;
use crate::db::site::access::AccessRow;
use crate::domain::{Hash, Name, RepositoryPattern, Scope};

/// Somebody who showed a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The name of the credential.
    pub name: Name,
    /// What it may read, in the order in which that is asked.
    pub grants: Vec<Grant>,
}

/// Repositories of one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whose releases answer.
    pub scope: Scope,
    /// Which of their repositories: those that any of these admits.
    pub repositories: Arc<[RepositoryPattern]>,
}

/// All credentials of one generation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::appliance) struct Readers(HashMap<Hash, Arc<Reader>>);

impl Readers {
    /// Makes them of a generation: those before, where nothing was decided since.
    pub(in crate::appliance) fn of(generation: &Generation, before: Option<&Arc<Self>>) -> Arc<Self> {
        let readers = generation
            .local
            .access
            .iter()
            .map(|row| (row.mac, Arc::new(Reader::of(row))));
        let readers = Self(readers.collect());
        match before {
            Some(before) if **before == readers => before.clone(),
            _ => Arc::new(readers),
        }
    }

    /// Finds who has a secret, by what is kept of it.
    pub(in crate::appliance) fn find(&self, mac: &Hash) -> Option<Arc<Reader>> {
        self.0.get(mac).cloned()
    }
}

impl Reader {
    fn of(row: &AccessRow) -> Self {
        let mut grants: Vec<(Scope, Vec<RepositoryPattern>)> = Vec::new();
        for grant in &row.grants {
            let pattern = grant.repositories.clone();
            match grants.iter_mut().find(|(scope, _)| *scope == grant.scope) {
                Some((_, patterns)) => patterns.push(pattern),
                None => grants.push((grant.scope.clone(), vec![pattern])),
            }
        }
        let grants = grants.into_iter().map(|(scope, patterns)| Grant {
            scope,
            repositories: patterns.into(),
        });
        Self {
            name: row.name.clone(),
            grants: grants.collect(),
        }
    }
}
