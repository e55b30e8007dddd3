//! Options of the commands that make status packages: for which vendor, and how much less than the site allows.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::Ui;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::escape;
use crate::appliance::Appliance;
use crate::appliance::export::{DraftRequest, ExportSettings, Profile, Redactor};
use crate::appliance::fleet::settle_revisions;
use crate::config::Config;
use crate::db::site::{packages, stream_log, trust};
use crate::domain::{Class, Error, Hash, Result};
use crate::package::{Shows, Switch};

/// Hex digits of a trust domain that say which it is.
const DIGITS: usize = 8;
const MIB: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct PackageArgs {
    /// Show no more than this profile does
    #[arg(long, value_enum, value_name = "PROFILE")]
    profile: Option<ProfileName>,
    /// Do not show this; may repeat
    #[arg(long, value_enum, value_name = "SWITCH")]
    without: Vec<SwitchName>,
    /// The vendor, where several are pinned: 8 or more digits of its fingerprint, or a product of it
    #[arg(long, value_name = "VENDOR")]
    vendor: Option<String>,
    /// Largest size of the package in MiB; what does not fit goes into the next one
    #[arg(long, value_name = "MIB")]
    max_size: Option<u64>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) state: StateArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProfileName {
    Minimal,
    Standard,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SwitchName {
    AgentLogs,
    Agents,
    LocalNames,
    Logs,
    Metrics,
    StatusText,
}

impl PackageArgs {
    /// Returns what the site's settings, so many approvals, and these options come to; of several vendors the one is meant that `--vendor`
    /// or the digest of a package names.
    ///
    /// # Errors
    ///
    /// `E-USAGE profile`, `max-size` and `vendor`; those of the configuration.
    pub(super) fn request<'a>(
        &self,
        appliance: &Appliance,
        settings: &ExportSettings,
        approvals: u64,
        redactor: &'a Redactor,
        discard: bool,
        digest: Option<&str>,
    ) -> Result<DraftRequest<'a>> {
        Ok(DraftRequest {
            shows: self.shows(settings)?,
            room: settings.room(self.max_size.map(|mib| mib.saturating_mul(MIB)), approvals)?,
            domain: self.domain_of_package(appliance, digest)?,
            redactor,
            discard,
        })
    }

    fn shows(&self, settings: &ExportSettings) -> Result<Shows> {
        let profile = self.profile.map(|name| match name {
            ProfileName::Minimal => Profile::Minimal,
            ProfileName::Standard => Profile::Standard,
            ProfileName::Full => Profile::Full,
        });
        let without: Vec<Switch> = self.without.iter().map(|name| name.switch()).collect();
        settings.narrowed(profile, &without)
    }

    /// As [`domain_of`]; a package that is named by its digest says itself whose it is.
    fn domain_of_package(&self, appliance: &Appliance, digest: Option<&str>) -> Result<Hash> {
        if let (None, Some(digits)) = (&self.vendor, digest.filter(|digits| digits.len() >= DIGITS)) {
            let has_it = |domain: &Hash| -> Result<bool> {
                let rows = appliance.db.read(|connection| packages::list(connection, *domain))?;
                Ok(rows.iter().any(|row| row.head.to_hex().starts_with(digits)))
            };
            let mut meant = Vec::new();
            for domain in appliance.db.read(stream_log::domains)? {
                if has_it(&domain)? {
                    meant.push(domain);
                }
            }
            if let [domain] = meant[..] {
                return Ok(domain);
            }
        }
        self.domain(appliance)
    }

    /// As [`domain_of`].
    pub(super) fn domain(&self, appliance: &Appliance) -> Result<Hash> {
        domain_of(appliance, self.vendor.as_deref())
    }
}

/// Finds the trust domain that is meant: the only one, or the one that is named.
///
/// # Errors
///
/// `E-USAGE vendor` when none or several are meant, with all of them.
pub(super) fn domain_of(appliance: &Appliance, vendor: Option<&str>) -> Result<Hash> {
    let all = appliance.db.read(stream_log::domains)?;
    let meant: Vec<Hash> = match vendor {
        None => all.clone(),
        Some(word) => {
            let releases = appliance.releases()?;
            let scopes = releases.iter().map(|release| &release.scope);
            let mut has: BTreeSet<Hash> = scopes
                .filter(|scope| scope.product.as_str() == word || scope.to_string() == word)
                .map(|scope| scope.domain)
                .collect();
            if has.is_empty() {
                // Nothing of it was imported yet: what the pinned roots name, as `airlock trust show` lists it.
                has = all
                    .iter()
                    .copied()
                    .filter(|domain| names_product(appliance, *domain, word))
                    .collect();
            }
            let is_begun = |domain: &Hash| word.len() >= DIGITS && domain.to_hex().starts_with(word);
            all.iter()
                .filter(|domain| has.contains(domain) || is_begun(domain))
                .copied()
                .collect()
        }
    };
    if let [domain] = meant[..] {
        return Ok(domain);
    }
    let found = match vendor {
        None => format!("{} vendors are pinned here, and a package is for one", all.len()),
        Some(word) if meant.is_empty() => format!("no vendor that is pinned here is meant by {word:?}"),
        Some(word) => format!("{} vendors are meant by {word:?}", meant.len()),
    };
    Err(not_one(appliance, &all, found))
}

/// Finds the trust domain of a vendor that is called by its digits, or by the name that its root says. Digits go first: what another vendor
/// calls itself never stands in for them.
///
/// # Errors
///
/// `E-USAGE vendor` when none or several are meant, with all of them.
pub(super) fn domain_called(appliance: &Appliance, word: &str) -> Result<Hash> {
    let all = appliance.db.read(trust::domains)?;
    let is_begun = |domain: &&Hash| word.len() >= DIGITS && domain.to_hex().starts_with(word);
    let mut meant: Vec<Hash> = all.iter().filter(is_begun).copied().collect();
    if meant.is_empty() {
        let is_named = |domain: &&Hash| vendor_name(appliance, **domain).as_deref() == Some(word);
        meant = all.iter().filter(is_named).copied().collect();
    }
    match meant[..] {
        [domain] => Ok(domain),
        [] => Err(not_one(
            appliance,
            &all,
            format!("no vendor that is pinned here is called {word:?}"),
        )),
        _ => Err(not_one(
            appliance,
            &all,
            format!("{} vendors are called {word:?}", meant.len()),
        )),
    }
}

/// Of a vendor that was not named, or not as one alone.
fn not_one(appliance: &Appliance, all: &[Hash], found: String) -> Error {
    let listed: Vec<String> = all.iter().map(|domain| named(appliance, *domain)).collect();
    Error::listing(Class::Usage, "vendor", found, &listed)
        .expected("one")
        .remedy("name it by the digits in front of it: --vendor DIGITS")
}

/// Whether the root of a trust domain names a product; one whose pin is damaged names none.
fn names_product(appliance: &Appliance, domain: Hash, word: &str) -> bool {
    let Ok(chain) = appliance.chain(domain) else {
        return false;
    };
    chain.newest().products.iter().any(|product| product.as_str() == word)
}

/// Returns a trust domain with the name that its root says, which another one may say as well.
fn named(appliance: &Appliance, domain: Hash) -> String {
    let hex = domain.to_hex();
    let short = hex.get(..DIGITS).unwrap_or_default();
    match vendor_name(appliance, domain) {
        Some(name) => format!("{short} {}", escape(&name)),
        None => short.to_owned(),
    }
}

/// Returns the name that the root of a trust domain says; nothing where its pin is damaged.
pub(super) fn vendor_name(appliance: &Appliance, domain: Hash) -> Option<String> {
    let chain = appliance.chain(domain).ok()?;
    Some(chain.newest().vendor.clone())
}

/// Sees to it that what agents report of present values is told as that; a package is made without it too.
pub(super) fn settle(appliance: &Arc<Appliance>, ui: &mut Ui) {
    if let Err(error) = settle_revisions(appliance) {
        ui.warn(format_args!("what agents are told could not be looked at: {error}"));
    }
}

/// Makes the redactor of a site: its patterns, and what this appliance and machine are called.
///
/// # Errors
///
/// Those of [`Redactor::new`].
pub(super) fn redactor(appliance: &Appliance, config: &Config) -> Result<Redactor> {
    let server = &config.server;
    let mut own = vec![appliance.name().to_owned()];
    own.extend(server.tls.names.iter().cloned());
    own.extend(server.agents.address.iter().cloned());
    own.extend(host_name());
    Redactor::new(&config.export.redact, &own)
}

/// Returns what this machine is called, where that says anything.
fn host_name() -> Option<String> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().ok()?;
    (!matches!(name, "" | "localhost" | "(none)")).then(|| name.to_owned())
}

impl SwitchName {
    fn switch(self) -> Switch {
        match self {
            Self::AgentLogs => Switch::AgentLogs,
            Self::Agents => Switch::Agents,
            Self::LocalNames => Switch::LocalNames,
            Self::Logs => Switch::Logs,
            Self::Metrics => Switch::Metrics,
            Self::StatusText => Switch::StatusText,
        }
    }
}
