//! The site's configuration, `/etc/airlock/airlock.toml`: read once, checked whole, unknown keys refused with their line.
//!
//! ```toml
#![doc = include_str!("config.toml")]
//! ```

mod mirror;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use self::mirror::MirrorTable;
use crate::appliance::SharedHosts;
use crate::appliance::export::{ExportSettings, Profile};
use crate::appliance::status::Quota;
use crate::domain::{Class, Error, Name, Result, is_host, limits};
use crate::http::{AgentSettings, Limits, Network, OwnCertificate, ReadPolicy, Settings, TlsSettings};
use crate::package::{Shows, Switch};
use crate::stream::{open_named, read_bounded};

pub use mirror::MirrorSettings;

/// Where the configuration is when nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/airlock/airlock.toml";
/// Every key with what it means: the defaults, and as comments the keys that have none.
pub const DOCUMENTED: &str = include_str!("config.toml");

const BYTES: u64 = 1 << 20;
/// More connections and longer times than these are no limits.
const CONNECTIONS: usize = 1_000_000;
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// For `airlock serve`. Whether its addresses fit is checked when they are known for good ([`Settings::check`]).
    pub server: Settings,
    /// Bounds of the status buffer.
    pub status: Quota,
    /// How long content of a replaced release stays readable by digest.
    pub grace: Duration,
    /// Hosts on which many publish: what is below them belongs to no vendor as a whole.
    pub shared_hosts: SharedHosts,
    /// Whether an import goes live by itself (D16).
    pub activation: Activation,
    /// Products and channels that may be imported; empty: all that the pinned vendors may sign for.
    pub accept: Vec<(Name, Name)>,
    /// What status packages show, who approves them, how large they may become.
    pub export: ExportSettings,
    /// The registry that `airlock mirror` fills.
    pub mirror: MirrorSettings,
}

/// What happens to a release after its import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// It goes live in the same transaction.
    Automatic,
    /// It waits for `airlock release activate`.
    Manual,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Document {
    listen: Vec<SocketAddr>,
    plain_http_beyond_loopback: bool,
    activation: Activation,
    accept: Vec<String>,
    tls: TlsTable,
    agents: AgentsTable,
    registry: RegistryTable,
    status: StatusTable,
    export: ExportTable,
    mirror: MirrorTable,
    limits: LimitsTable,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ExportTable {
    profile: Profile,
    show: Vec<Switch>,
    redact: Vec<String>,
    approvals: Option<usize>,
    keys: PathBuf,
    max_size_mib: u64,
    outbox_mib: u64,
}

impl Default for ExportTable {
    fn default() -> Self {
        let settings = ExportSettings::default();
        Self {
            profile: Profile::Minimal,
            show: Vec::new(),
            redact: settings.redact,
            approvals: None,
            keys: settings.keys,
            max_size_mib: settings.max_size >> 20,
            outbox_mib: settings.outbox >> 20,
        }
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StatusTable {
    quota_mib: u64,
    keep_days: u32,
}

impl Default for StatusTable {
    fn default() -> Self {
        Self {
            quota_mib: 1024,
            keep_days: 30,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct TlsTable {
    listen: Vec<SocketAddr>,
    names: Vec<String>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    authority: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AgentsTable {
    address: Option<String>,
    plain_http: Option<bool>,
    interval: String,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RegistryTable {
    read: Read,
    networks: Vec<String>,
    grace_seconds: u64,
    shared_hosts: Vec<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Read {
    Loopback,
    Networks,
    Credentials,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LimitsTable {
    connections: usize,
    connections_per_address: usize,
    head_seconds: u64,
    stall_seconds: u64,
    shutdown_seconds: u64,
}

impl Config {
    /// Reads the configuration; without a path the default one, which may be missing.
    ///
    /// # Errors
    ///
    /// `E-USAGE config` with line and column, `E-IO`.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let place = path.unwrap_or(Path::new(DEFAULT_PATH));
        let missing = || {
            place
                .symlink_metadata()
                .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        };
        if path.is_none() && missing() {
            return Self::parse("", place);
        }
        let file = open_named(place, "read the configuration")?;
        let bytes = read_bounded(file, BYTES, "the configuration")?;
        let text = String::from_utf8(bytes).map_err(|e| wrong(place, "is not UTF-8").with_source(e))?;
        Self::parse(&text, place)
    }

    fn parse(text: &str, place: &Path) -> Result<Self> {
        let file: Document = toml::from_str(text).map_err(|error| {
            // Line and column first; the library's drawing of the place does not fit into one sentence.
            let at = error.span().map_or(String::new(), |span| position(text, span.start));
            wrong(place, &format!("{at}{}", error.message().replace('\n', " "))).with_source(error)
        })?;
        let read = match (file.registry.read, file.registry.networks.as_slice()) {
            (Read::Credentials, []) => ReadPolicy::Credentials,
            (Read::Credentials, _) => {
                return Err(
                    wrong(place, "names registry.networks, but registry.read is \"credentials\"")
                        .expected("registry.read = \"networks\", or no networks"),
                );
            }
            (Read::Loopback, []) => ReadPolicy::Loopback,
            (Read::Loopback, _) => {
                return Err(
                    wrong(place, "names registry.networks, but registry.read is \"loopback\"")
                        .expected("registry.read = \"networks\", or no networks"),
                );
            }
            (Read::Networks, []) => {
                return Err(wrong(place, "has registry.read = \"networks\" and names none")
                    .expected("registry.networks, as in [\"10.0.0.0/8\"]"));
            }
            (Read::Networks, networks) => ReadPolicy::Networks(
                networks
                    .iter()
                    .map(|network| network.parse::<Network>())
                    .collect::<Result<_>>()?,
            ),
        };
        let limits = Limits {
            connections: file.limits.connections,
            connections_per_address: file.limits.connections_per_address,
            head: Duration::from_secs(file.limits.head_seconds),
            stall: Duration::from_secs(file.limits.stall_seconds),
            shutdown: Duration::from_secs(file.limits.shutdown_seconds),
            ..Limits::default()
        };
        if limits.connections == 0
            || limits.connections_per_address == 0
            || limits.head.is_zero()
            || limits.stall.is_zero()
            || (file.listen.is_empty() && file.tls.listen.is_empty())
        {
            return Err(
                wrong(place, "leaves nothing to serve with").expected("at least one address, and limits above zero")
            );
        }
        if limits.connections > CONNECTIONS
            || [limits.head, limits.stall, limits.shutdown]
                .iter()
                .any(|time| *time > LONGEST)
        {
            return Err(wrong(place, "sets limits that limit nothing").expected(format!(
                "at most {CONNECTIONS} connections, and times of at most {} seconds",
                LONGEST.as_secs()
            )));
        }
        let own = match (file.tls.certificate, file.tls.key) {
            (None, None) if file.tls.authority.is_none() => None,
            (Some(certificate), Some(key)) => Some(OwnCertificate {
                certificate,
                key,
                authority: file.tls.authority,
            }),
            _ => {
                return Err(wrong(place, "names a part of a certificate of the site's own")
                    .expected("tls.certificate and tls.key, and tls.authority where agents need it; or none of them"));
            }
        };
        Ok(Self {
            server: Settings {
                listen: file.listen,
                tls: TlsSettings {
                    listen: file.tls.listen,
                    names: file.tls.names,
                    own,
                },
                agents: AgentSettings {
                    address: file.agents.address,
                    plain_http: file.agents.plain_http,
                    interval: file.agents.interval,
                },
                read,
                plain_http_beyond_loopback: file.plain_http_beyond_loopback,
                limits,
            },
            status: Quota {
                keep_days: file.status.keep_days,
                ..Quota::from_mib(file.status.quota_mib)
            },
            grace: Duration::from_secs(file.registry.grace_seconds),
            shared_hosts: file
                .registry
                .shared_hosts
                .into_iter()
                .map(|host| shared(host, place))
                .collect::<Result<_>>()?,
            activation: file.activation,
            accept: file
                .accept
                .iter()
                .map(|text| accepted(text, place))
                .collect::<Result<_>>()?,
            export: export(file.export, place)?,
            mirror: file.mirror.read(place)?,
        })
    }
}

impl Default for Document {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            listen: settings.listen,
            plain_http_beyond_loopback: settings.plain_http_beyond_loopback,
            activation: Activation::Automatic,
            accept: Vec::new(),
            tls: TlsTable::default(),
            agents: AgentsTable::default(),
            registry: RegistryTable::default(),
            status: StatusTable::default(),
            export: ExportTable::default(),
            mirror: MirrorTable::default(),
            limits: LimitsTable::default(),
        }
    }
}

impl Default for AgentsTable {
    fn default() -> Self {
        let settings = AgentSettings::default();
        Self {
            address: settings.address,
            plain_http: settings.plain_http,
            interval: settings.interval,
        }
    }
}

impl Default for RegistryTable {
    fn default() -> Self {
        Self {
            read: Read::Loopback,
            networks: Vec::new(),
            grace_seconds: 3600,
            shared_hosts: SharedHosts::DEFAULT.map(str::to_owned).into(),
        }
    }
}

impl Default for LimitsTable {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            head_seconds: limits.head.as_secs(),
            stall_seconds: limits.stall.as_secs(),
            shutdown_seconds: limits.shutdown.as_secs(),
        }
    }
}

fn export(table: ExportTable, place: &Path) -> Result<ExportSettings> {
    if let Some(asked) = table.approvals.filter(|asked| *asked > limits::SIGNATURES) {
        return Err(wrong(place, &format!("asks for {asked} approvals of a package"))
            .expected(format!("export.approvals up to {}", limits::SIGNATURES)));
    }
    let bytes = |mib: u64| mib.saturating_mul(1 << 20);
    if bytes(table.max_size_mib) < limits::PACKAGE_BYTES_MIN || table.outbox_mib < table.max_size_mib {
        return Err(wrong(place, "leaves no room for a package of any use")
            .expected("export.max_size_mib of 1 or more, and export.outbox_mib of at least as much"));
    }
    Ok(ExportSettings {
        shows: Shows::of(table.profile.shows().iter().chain(table.show)),
        redact: table.redact,
        approvals: table.approvals.map(|asked| asked as u64),
        keys: table.keys,
        max_size: bytes(table.max_size_mib),
        outbox: bytes(table.outbox_mib),
    })
}

fn accepted(text: &str, place: &Path) -> Result<(Name, Name)> {
    text.split_once('/')
        .and_then(|(product, channel)| Some((product.parse().ok()?, channel.parse().ok()?)))
        .ok_or_else(|| {
            wrong(place, &format!("accepts {text:?}")).expected("PRODUCT/CHANNEL, as in \"acme-erp/stable\"")
        })
}

fn shared(host: String, place: &Path) -> Result<String> {
    if is_host(&host) {
        return Ok(host);
    }
    Err(wrong(place, &format!("has the shared host {host:?}")).expected("a registry host, as in \"ghcr.io\""))
}

fn position(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: ")
}

fn wrong(place: &Path, found: &str) -> Error {
    Error::new(Class::Usage, "config", format!("{} {found}", place.display()))
        .remedy("correct that key in the file; `airlock serve --help` shows all that it may say")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, Path::new("airlock.toml"))
    }

    #[test]
    fn nothing_said_is_loopback_only() {
        let config = parse("").unwrap();
        assert_eq!(config.server, Settings::default());
        assert_eq!(config.grace, Duration::from_secs(3600));
        assert_eq!(config.activation, Activation::Automatic);
        assert_eq!(config.export, ExportSettings::default());
    }

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        assert_eq!(parse(DOCUMENTED).unwrap(), parse("").unwrap());
        // What has no default stands there as a comment, and can be said as it stands.
        let (mut said, mut count) = (String::new(), 0);
        for line in DOCUMENTED.lines() {
            let key = line.strip_prefix("# ").filter(|rest| rest.contains(" = "));
            count += usize::from(key.is_some());
            said += &format!("{}\n", key.unwrap_or(line));
        }
        let config = parse(&said).unwrap();
        assert!(count == 11 && config.server.tls.own.is_some() && config.server.agents.address.is_some());
        assert!(config.mirror.registry.is_some() && config.mirror.prefix.is_some());
    }

    /// `airlock serve --help` shows it, and breaks what is wider than a terminal: the rest would be no comment.
    #[test]
    fn no_line_of_what_is_documented_is_broken() {
        let widest = DOCUMENTED.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(79), "{widest:?}");
    }

    #[test]
    fn everything_can_be_said() {
        let config = parse(
            "listen = [\"0.0.0.0:5000\", \"[::]:5000\"]\nplain_http_beyond_loopback = true\nactivation = \"manual\"\naccept = [\"erp/stable\"]\n
             [registry]\nread = \"networks\"\nnetworks = [\"10.0.0.0/8\"]\ngrace_seconds = 5\nshared_hosts = [\"a.example\"]\n[limits]\nconnections = 7\n
             [export]\nprofile = \"standard\"\nshow = [\"local-names\", \"agents\"]\nredact = [\"x+\"]\napprovals = 2\nkeys = \"k\"\nmax_size_mib = 1\noutbox_mib = 7\n",
        )
        .unwrap();
        let export = ExportSettings {
            shows: Shows::of([Switch::Agents, Switch::LocalNames, Switch::Metrics]),
            redact: vec!["x+".into()],
            approvals: Some(2),
            keys: "k".into(),
            max_size: 1 << 20,
            outbox: 7 << 20,
        };
        assert_eq!(config.export, export);
        assert_eq!(config.server.listen.len(), 2);
        assert!(config.server.read.allows("10.1.1.1".parse().unwrap()));
        assert_eq!(
            (config.server.limits.connections, config.activation),
            (7, Activation::Manual)
        );
        assert_eq!(config.accept.len(), 1);
        assert!(config.shared_hosts.contains("a.example") && !config.shared_hosts.contains("docker.io"));
        config.server.check().unwrap();
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        for (text, part) in [
            ("\nlisten_on = []", "line 2, column 1: unknown field `listen_on`"),
            (
                "[registry]\nreed = \"loopback\"",
                "line 2, column 1: unknown field `reed`",
            ),
            ("listen = [\"localhost:5000\"]", "line 1, column 11: "),
            ("listen = ", "line 1, column"),
            ("[registry]\nread = \"anybody\"", "line 2, column 8: unknown variant"),
            (
                "[registry]\nread = \"credentials\"\nnetworks = [\"10.0.0.0/8\"]",
                "but registry.read is \"credentials\"",
            ),
            ("[registry]\nread = \"networks\"", "names none"),
            (
                "[registry]\nnetworks = [\"10.0.0.0/8\"]",
                "but registry.read is \"loopback\"",
            ),
            (
                "[registry]\nread = \"networks\"\nnetworks = [\"10.0.0.1/8\"]",
                "is no network",
            ),
            ("[registry]\nshared_hosts = [\"GHCR.io/x\"]", "has the shared host"),
            ("listen = []", "nothing to serve with"),
            ("[tls]\ncertificate = \"a.pem\"", "a part of a certificate"),
            ("[tls]\nauthority = \"a.pem\"", "a part of a certificate"),
            ("[agents]\nadress = \"x\"", "line 2, column 1: unknown field `adress`"),
            ("accept = [\"erp\"]", "expected PRODUCT/CHANNEL"),
            ("[export]\nprofile = \"most\"", "line 2, column 11: unknown variant"),
            ("[export]\nshow = [\"everything\"]", "line 2, column 9: unknown variant"),
            ("[export]\napprovals = 33", "asks for 33 approvals"),
            ("[export]\nmax_size_mib = 0", "no room for a package"),
            ("[export]\noutbox_mib = 63", "no room for a package"),
            ("[limits]\nconnections = 0", "nothing to serve with"),
            ("[limits]\nconnections = 1000001", "limits that limit nothing"),
            (
                "[limits]\nhead_seconds = 9223372036854775807",
                "limits that limit nothing",
            ),
            ("[limits]\nstall_seconds = 86401", "limits that limit nothing"),
            (
                "[limits]\nshutdown_seconds = 18446744073709551615",
                "limits that limit nothing",
            ),
            ("[limits]\nconnections = -1", "line 2, column 15: "),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.class(), Class::Usage, "{text}");
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_named_file_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            Config::read(Some(&folder.path().join("x"))).unwrap_err().class(),
            Class::Io
        );
    }
}
