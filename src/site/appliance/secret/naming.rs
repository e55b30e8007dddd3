//! How a command names a secret so that it reaches no other one: product, channel and vendor as far as others here are called the same,
//! and a target by its UUID where its name is not its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::appliance::state::Appliance;
use crate::db::site::local_targets;
use crate::db::site::release;
use crate::domain::{Hash, Result, Scope, SecretName, Uuid};

/// Digits of a trust domain that are enough to name it, where no other one begins with them.
pub(super) const DIGITS: usize = 8;

/// The words for the secrets of one scope.
#[derive(Debug, Clone)]
pub(in crate::appliance) struct Naming {
    scope: String,
    /// Names that several targets of the scope have.
    shared: BTreeSet<String>,
}

impl Naming {
    /// Learns what there is beside a scope. `targets` are those that its release states for this site.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::appliance) fn of<'a>(
        appliance: &Appliance,
        scope: &Scope,
        targets: impl IntoIterator<Item = (Uuid, &'a str)>,
    ) -> Result<Self> {
        let (releases, locals) = appliance
            .db
            .read(|connection| Ok((release::list(connection)?, local_targets::list(connection)?)))?;
        let mut by_name: BTreeMap<String, BTreeSet<Uuid>> = BTreeMap::new();
        let stated = targets.into_iter().map(|(id, name)| (id, name.to_owned()));
        for (id, name) in stated.chain(locals.into_iter().map(|local| (local.id, local.name))) {
            by_name.entry(name).or_default().insert(id);
        }
        let scopes: BTreeSet<Scope> = releases.into_iter().map(|release| release.scope).collect();
        Ok(Self {
            scope: arguments(scope, &scopes),
            shared: by_name
                .into_iter()
                .filter(|(_, ids)| ids.len() > 1)
                .map(|(name, _)| name)
                .collect(),
        })
    }

    /// Returns the arguments that name one secret.
    pub(super) fn which(&self, name: &SecretName, target: Option<(Uuid, &str)>) -> String {
        let target = target.map(|(id, name)| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let is_word = !name.is_empty() && !name.starts_with('-') && name.chars().all(plain);
            if is_word && !self.shared.contains(name) {
                format!(" --target {name}")
            } else {
                format!(" --target {id}")
            }
        });
        format!("{name}{}{}", target.unwrap_or_default(), self.scope)
    }
}

impl Appliance {
    /// Returns the command that does something about a secret, as `set` does.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn secret_command(
        &self,
        act: &str,
        scope: &Scope,
        (name, target): (&SecretName, Option<Uuid>),
    ) -> Result<String> {
        let target = target.map(|id| (id, id.to_string()));
        let naming = Naming::of(self, scope, [])?;
        let which = naming.which(name, target.as_ref().map(|(id, text)| (*id, text.as_str())));
        Ok(format!("airlock secret {act} {which}"))
    }
}

/// The product is always said; the channel where another one of that product is here, the vendor where another one's is.
fn arguments(scope: &Scope, all: &BTreeSet<Scope>) -> String {
    let others = || {
        all.iter()
            .filter(|other| *other != scope && other.product == scope.product)
    };
    let mut out = format!(" --product {}", scope.product);
    if others().any(|other| other.channel != scope.channel) {
        out += &format!("/{}", scope.channel);
    }
    if others().any(|other| other.domain != scope.domain) {
        let domains = all.iter().map(|other| other.domain);
        out += &format!(" --vendor {}", beginning(scope.domain, domains));
    }
    out
}

/// As many digits of a trust domain as no other one begins with.
pub(super) fn beginning(domain: Hash, all: impl Iterator<Item = Hash>) -> String {
    let (own, others) = (domain.to_hex(), all.filter(|other| *other != domain));
    let common = |other: Hash| {
        let other = other.to_hex();
        own.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
    };
    let length = others
        .map(common)
        .max()
        .map_or(DIGITS, |most| DIGITS.max(most.saturating_add(1)));
    own.get(..length).unwrap_or(&own).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(domain: u8, product: &str, channel: &str) -> Scope {
        Scope {
            domain: Hash([domain; 32]),
            product: product.parse().unwrap(),
            channel: channel.parse().unwrap(),
        }
    }

    #[test]
    fn only_what_tells_a_scope_from_others_is_said() {
        let own = scope(0xab, "crm", "stable");
        for (others, expected) in [
            (vec![], " --product crm"),
            (vec![scope(1, "erp", "stable")], " --product crm"),
            (vec![scope(0xab, "crm", "beta")], " --product crm/stable"),
            (vec![scope(1, "crm", "stable")], " --product crm --vendor abababab"),
            (vec![scope(1, "crm", "beta")], " --product crm/stable --vendor abababab"),
        ] {
            let all = others.into_iter().chain([own.clone()]).collect();
            assert_eq!(arguments(&own, &all), expected);
        }
        let mut alike = Hash([0xab; 32]);
        alike.0[5] = 0;
        assert_eq!(
            beginning(own.domain, [alike, own.domain].into_iter()),
            "ababababab".to_owned() + "a"
        );
    }

    #[test]
    fn a_target_whose_name_is_not_its_own_is_named_by_its_uuid() {
        let id: Uuid = "7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b".parse().unwrap();
        let naming = Naming {
            scope: " --product crm".to_owned(),
            shared: BTreeSet::from(["press".to_owned()]),
        };
        let name: SecretName = "A".parse().unwrap();
        for (target, expected) in [
            (None, "A --product crm".to_owned()),
            (Some("press-1"), "A --target press-1 --product crm".to_owned()),
            (Some("press"), format!("A --target {id} --product crm")),
            (Some("-x y"), format!("A --target {id} --product crm")),
        ] {
            assert_eq!(naming.which(&name, target.map(|name| (id, name))), expected);
        }
    }
}
