//! Which secret a person means: a name, with whatever tells products, channels, vendors and targets apart.

use super::list::SecretView;
use super::naming::{DIGITS, beginning};
use crate::appliance::state::Appliance;
use crate::domain::{Class, Error, Result, SecretName, Uuid, nearest};

/// What a person said of a secret.
#[derive(Debug, Clone, Copy)]
pub struct AskedSecret<'a> {
    /// Its name.
    pub name: &'a SecretName,
    /// Name or UUID of the target that the value is for.
    pub target: Option<&'a str>,
    /// The product, or `PRODUCT/CHANNEL`.
    pub product: Option<&'a str>,
    /// The channel.
    pub channel: Option<&'a str>,
    /// The vendor's name, or the beginning of its trust domain.
    pub vendor: Option<&'a str>,
}

impl Appliance {
    /// Returns the one secret that is meant.
    ///
    /// # Errors
    ///
    /// `E-USAGE secret` when none or several are; those of [`Appliance::secrets`].
    pub fn find_secret(&self, asked: &AskedSecret<'_>) -> Result<SecretView> {
        let all = self.secrets()?;
        let named = all.iter().filter(|view| view.name == *asked.name);
        // What a vendor calls itself takes no digits of another's domain away.
        let is_domain = asked
            .vendor
            .is_some_and(|vendor| all.iter().any(|view| is_of_domain(view, vendor)));
        let in_scope: Vec<&SecretView> = named.filter(|view| is_in_scope(view, asked, is_domain)).collect();
        if in_scope.is_empty() {
            return Err(unknown(asked, &all));
        }
        let mut scopes: Vec<&SecretView> = Vec::new();
        for view in &in_scope {
            if !scopes.iter().any(|other| other.scope == view.scope) {
                scopes.push(view);
            }
        }
        if scopes.len() > 1 {
            return Err(several(asked, &scopes));
        }
        let target = asked.target;
        let fits = |view: &&&SecretView| match (&view.target, target) {
            (None, None) => true,
            (Some((id, name)), Some(text)) => name == text || Uuid::parse_lenient(text).ok() == Some(*id),
            _ => false,
        };
        let mut fitting = in_scope.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(view), None) => Ok((**view).clone()),
            (None, _) => Err(of_no_such_target(asked, &in_scope)),
            (Some(_), Some(_)) => Err(of_several_targets(asked, in_scope.iter().filter(fits).copied())),
        }
    }
}

/// Whether a text is the beginning of the trust domain of a secret's vendor.
fn is_of_domain(view: &SecretView, vendor: &str) -> bool {
    vendor.len() >= DIGITS && view.scope.domain.to_hex().starts_with(vendor)
}

fn is_in_scope(view: &SecretView, asked: &AskedSecret<'_>, is_domain: bool) -> bool {
    let scope = &view.scope;
    let product = asked
        .product
        .is_none_or(|product| scope.product.as_str() == product || scope.to_string() == product);
    let channel = asked.channel.is_none_or(|channel| scope.channel.as_str() == channel);
    let vendor = asked
        .vendor
        .is_none_or(|vendor| is_of_domain(view, vendor) || (!is_domain && view.vendor.as_deref() == Some(vendor)));
    product && channel && vendor
}

fn unknown(asked: &AskedSecret<'_>, all: &[SecretView]) -> Error {
    let there = all.iter().any(|view| view.name == *asked.name);
    let error = Error::new(
        Class::Usage,
        "secret",
        if there {
            format!("no such product, channel or vendor has a secret {}", asked.name)
        } else {
            format!("no release here has a secret {}", asked.name)
        },
    );
    let names = all
        .iter()
        .map(|view| view.name.as_str().to_lowercase())
        .collect::<Vec<_>>();
    match nearest(asked.name.as_str(), names.iter().map(String::as_str)).filter(|_| !there) {
        Some(meant) => error.remedy(format!("did you mean {}?", meant.to_uppercase())),
        None => error.remedy("look at `airlock secret list`"),
    }
}

fn several(asked: &AskedSecret<'_>, scopes: &[&SecretView]) -> Error {
    let listed: Vec<String> = scopes
        .iter()
        .map(|view| {
            format!(
                "--product {}/{} --vendor {} ({})",
                view.scope.product,
                view.scope.channel,
                beginning(view.scope.domain, scopes.iter().map(|view| view.scope.domain)),
                view.vendor.as_deref().unwrap_or("its name cannot be read"),
            )
        })
        .collect();
    Error::new(
        Class::Usage,
        "secret",
        format!("{} products have a secret {}", scopes.len(), asked.name),
    )
    .expected("one of them")
    .remedy(format!("say which: {}", listed.join("; ")))
}

fn of_several_targets<'a>(asked: &AskedSecret<'_>, views: impl Iterator<Item = &'a SecretView>) -> Error {
    let ids: Vec<String> = views
        .filter_map(|view| view.target.as_ref().map(|(id, _)| id.to_string()))
        .collect();
    Error::new(
        Class::Usage,
        "secret",
        format!(
            "{} targets with a value of {} of their own are called {:?}",
            ids.len(),
            asked.name,
            asked.target.unwrap_or_default()
        ),
    )
    .expected("one of them")
    .remedy(format!(
        "name it by its UUID, --target with one of these: {}",
        ids.join(", ")
    ))
}

fn of_no_such_target(asked: &AskedSecret<'_>, views: &[&SecretView]) -> Error {
    let mut targets: Vec<&str> = views
        .iter()
        .filter_map(|view| view.target.as_ref().map(|(_, name)| name.as_str()))
        .collect();
    targets.sort_unstable();
    let for_all = views.iter().any(|view| view.target.is_none());
    let error = Error::new(
        Class::Usage,
        "secret",
        match asked.target {
            Some(target) => format!(
                "the secret {} has no value of its own for a target {target:?}",
                asked.name
            ),
            None => format!("the secret {} has a value for each of its targets", asked.name),
        },
    );
    if targets.is_empty() {
        return error
            .expected("one value for the whole site")
            .remedy("leave --target out");
    }
    let also = if for_all {
        ", or none of them for the whole site"
    } else {
        ""
    };
    error
        .expected("the target that the value is for")
        .remedy(format!("add --target with one of these{also}: {}", targets.join(", ")))
}
