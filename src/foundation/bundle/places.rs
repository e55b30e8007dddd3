//! How much a document grows once its places are filled, told from a count of them: documents are read once, values are many.

use std::collections::BTreeMap;

use super::desired::{PLACEHOLDER_HOST, PLACEHOLDER_PROJECT};
use super::substitution::{secret_place, secret_places};
use crate::domain::SecretName;

/// The places of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    bytes: usize,
    hosts: usize,
    projects: usize,
    secrets: BTreeMap<SecretName, usize>,
}

impl Places {
    /// Counts them.
    pub fn of(document: &[u8]) -> Self {
        let text = std::str::from_utf8(document).unwrap_or_default();
        let mut secrets: BTreeMap<SecretName, usize> = BTreeMap::new();
        for name in secret_places(document) {
            let count = secrets.entry(name).or_default();
            *count = count.saturating_add(1);
        }
        Self {
            bytes: document.len(),
            hosts: text.matches(PLACEHOLDER_HOST).count(),
            projects: text.matches(PLACEHOLDER_PROJECT).count(),
            secrets,
        }
    }

    /// Returns the bytes of the document with an address and a name of a project so long in it, before any secret is.
    pub fn bytes(&self, address: usize, project: usize) -> u64 {
        let more =
            |count: usize, length: usize, stands: &str| count.saturating_mul(length.saturating_sub(stands.len()));
        let hosts = more(self.hosts, address, PLACEHOLDER_HOST);
        let projects = more(self.projects, project, PLACEHOLDER_PROJECT);
        self.bytes.saturating_add(hosts).saturating_add(projects) as u64
    }

    /// Returns the bytes that a value, so long as it is written there, adds; as before an answer none where it is shorter than its place.
    pub fn added(&self, name: &SecretName, written: usize) -> u64 {
        let count = self.secrets.get(name).copied().unwrap_or(0);
        count.saturating_mul(written.saturating_sub(secret_place(name).len())) as u64
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::bundle::{SecretForm, Substitution};
    use crate::domain::SecretValue;

    /// What is counted is what serving counts.
    #[test]
    fn the_count_is_that_of_the_substitution() {
        let (address, project) = ("a-name-that-is-longer.example:65535", "distr-00000000-and-more");
        let document =
            b"x: registry.airlock.internal/a https://registry.airlock.internal {{ .Secrets.A }}{{ .Secrets.A }} \
                         {{ .Secrets.B }} project-airlock-internal registry.airlock.interna {{.Secrets.A}}";
        let (a, b): (SecretName, SecretName) = ("A".parse().unwrap(), "B".parse().unwrap());
        let value = |text: &str| SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).ok().unwrap();
        let (long, short) = (value("$\n\"a long value, longer than its place"), value("s"));
        for form in [SecretForm::Compose, SecretForm::Environment, SecretForm::Values] {
            let substitution = Substitution::new(address, &format!("https://{address}"))
                .with_project(project.to_owned())
                .with_secrets(form, [(&a, &long), (&b, &short)]);
            let places = Places::of(document);
            let counted = places.bytes(address.len(), project.len())
                + places.added(&a, form.written_bytes(long.as_str()))
                + places.added(&b, form.written_bytes(short.as_str()));
            assert_eq!(counted, (document.len() + substitution.added(document)) as u64);
            assert_eq!(places.added(&"C".parse().unwrap(), 1 << 20), 0);
        }
    }
}
