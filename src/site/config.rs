//! The site's configuration, `/etc/airlock/airlock.toml`: read once, checked whole, unknown keys refused with their line.
//!
//! | File | One step or type |
//! |---|---|
//! | `check` | what is checked else only by whoever uses it |
//! | `document` | every key once: type, default, meaning, what it takes, example; the parser is made of it |
//! | `key` | the same for people: the sample, the reference |
//! | `places` | line and column of what the file says |
//! | `held` | what holds, and whether the file, a flag or a default says so |
//! | `mirror` | `[mirror]` |

mod check;
mod document;
mod held;
mod key;
mod mirror;
mod places;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::document::{Document, ExportTable, Read};
use self::places::{Place, Places, wrong};
use crate::appliance::SharedHosts;
use crate::appliance::care::{Pace, Policy};
use crate::appliance::export::ExportSettings;
use crate::appliance::status::Quota;
use crate::domain::{Class, Name, Result, is_host, limits};
use crate::http::{AgentSettings, Limits, Network, OwnCertificate, ReadPolicy, Settings, TlsSettings};
use crate::package::Shows;
use crate::stream::{open_named, read_bounded};

pub use held::{Held, Origin};
pub use key::{Key, sample};
pub use mirror::MirrorSettings;

/// Where the configuration is when nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/airlock/airlock.toml";

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
    /// Which releases `airlock gc` keeps.
    pub retention: Policy,
    /// How fast `airlock scrub` reads.
    pub scrub: Pace,
}

/// What happens to a release after its import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// It goes live in the same transaction.
    Automatic,
    /// It waits for `airlock release activate`.
    Manual,
}

impl Config {
    /// Reads the configuration; without a path the default one, which may be missing.
    ///
    /// # Errors
    ///
    /// `E-USAGE config` with line and column, `E-IO`.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let file = place(path);
        Self::parse(&text(path)?.unwrap_or_default(), file)
    }

    fn parse(text: &str, place: &Path) -> Result<Self> {
        Self::of(document(text, place)?, &Places::read(text, place))
    }

    fn of(file: Document, places: &Places) -> Result<Self> {
        let read = read_policy(&file, places)?;
        let limits = bounds(&file, places)?;
        let metrics = file.metrics.listen;
        if metrics.is_some_and(|address| address.ip().is_unspecified()) {
            return Err(places
                .wrong(
                    &["metrics.listen"],
                    "tells numbers of this server at every address of this machine",
                )
                .expected("one address, of loopback or of the network of those who watch"));
        }
        let own = match (file.tls.certificate, file.tls.key) {
            (None, None) if file.tls.authority.is_none() => None,
            (Some(certificate), Some(key)) => Some(OwnCertificate {
                certificate,
                key,
                authority: file.tls.authority,
            }),
            _ => {
                return Err(places
                    .wrong(
                        &["tls.certificate", "tls.key", "tls.authority"],
                        "names a part of a certificate of the site's own",
                    )
                    .expected("tls.certificate and tls.key, and tls.authority where agents need it; or none of them"));
            }
        };
        let elements = |values: Vec<String>| values.into_iter().enumerate();
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
                metrics,
                plain_http_beyond_loopback: file.plain_http_beyond_loopback,
                limits,
            },
            status: Quota {
                keep_days: file.status.keep_days,
                ..Quota::from_mib(file.status.quota_mib)
            },
            grace: Duration::from_secs(file.registry.grace_seconds),
            shared_hosts: elements(file.registry.shared_hosts)
                .map(|(number, host)| shared(host, number, places))
                .collect::<Result<_>>()?,
            activation: file.activation,
            accept: elements(file.accept)
                .map(|(number, text)| accepted(&text, number, places))
                .collect::<Result<_>>()?,
            export: export(file.export, places)?,
            mirror: file.mirror.read(places)?,
            retention: Policy {
                keep: file.care.keep_releases,
                grace: Duration::from_secs(file.registry.grace_seconds),
            },
            scrub: Pace::bytes_per_second(file.care.scrub_mib_per_second.saturating_mul(1 << 20)),
        })
    }
}

/// Returns the place of the configuration.
fn place(path: Option<&Path>) -> &Path {
    path.unwrap_or(Path::new(DEFAULT_PATH))
}

/// Reads the file; the default one may be missing.
fn text(path: Option<&Path>) -> Result<Option<String>> {
    let place = place(path);
    let missing = || {
        place
            .symlink_metadata()
            .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    };
    if path.is_none() && missing() {
        return Ok(None);
    }
    let file = open_named(place, "read the configuration")?;
    let bytes = read_bounded(file, BYTES, "the configuration").map_err(|error| {
        let error = error.context(&place.display().to_string());
        if error.class() == Class::Limit {
            return error.remedy("name the right file, or begin with `airlock config reference --sample`");
        }
        error
    })?;
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|e| wrong(place, None, "is not UTF-8").with_source(e))
}

/// What the library calls what is written in a file.
const WORDS: [(&str, &str); 5] = [
    // An enumeration, which is written as a text here.
    ("wanted string or table", "expected a text in quotes"),
    ("unknown variant", "unknown word"),
    ("expected a sequence", "expected a list, [\"…\"]"),
    ("expected u64", "expected a number, 0 or more"),
    ("expected u16", "expected a number from 0 to 65535"),
];

fn document(text: &str, place: &Path) -> Result<Document> {
    if let Some((at, table)) = Places::listed_table(text) {
        return Err(
            wrong(place, Some(at), &format!("[{table}] is written as a list of tables"))
                .expected(format!("[{table}], once")),
        );
    }
    toml::from_str(text).map_err(|error| {
        // Line and column first; the library's drawing of the place does not fit into one sentence.
        let at = error.span().map(|span| Place::of(text, span.start));
        let mut found = error.message().replace('\n', " ");
        for (said, meant) in WORDS {
            found = found.replace(said, meant);
        }
        if found == "duplicate key"
            && let Some(key) = error.span().and_then(|span| text.get(span))
        {
            found = format!("{key} stands there already, and each key and table is said once");
        }
        wrong(place, at, &found).with_source(error)
    })
}

fn read_policy(file: &Document, places: &Places) -> Result<ReadPolicy> {
    let named = |read: &str| {
        let found = format!("names registry.networks, but registry.read is \"{read}\"");
        places
            .wrong(&["registry.networks"], &found)
            .expected("registry.read = \"networks\", or no networks")
    };
    match (&file.registry.read, file.registry.networks.as_slice()) {
        (Read::Credentials, []) => Ok(ReadPolicy::Credentials),
        (Read::Credentials, _) => Err(named("credentials")),
        (Read::Loopback, []) => Ok(ReadPolicy::Loopback),
        (Read::Loopback, _) => Err(named("loopback")),
        (Read::Networks, []) => Err(places
            .wrong(&["registry.read"], "has registry.read = \"networks\" and names none")
            .expected("registry.networks, as in [\"10.0.0.0/8\"]")),
        (Read::Networks, networks) => {
            let networks = networks.iter().enumerate().map(|(number, network)| {
                network
                    .parse::<Network>()
                    .map_err(|error| places.tell(error, "registry.networks", number))
            });
            Ok(ReadPolicy::Networks(networks.collect::<Result<_>>()?))
        }
    }
}

fn bounds(file: &Document, places: &Places) -> Result<Limits> {
    let table = &file.limits;
    let times = [
        ("limits.head_seconds", table.head_seconds),
        ("limits.stall_seconds", table.stall_seconds),
        ("limits.shutdown_seconds", table.shutdown_seconds),
    ];
    let counts = [
        ("limits.connections", table.connections),
        ("limits.connections_per_address", table.connections_per_address),
    ];
    let mut nothing: Vec<&str> = counts
        .iter()
        .filter(|(_, count)| *count == 0)
        .map(|(key, _)| *key)
        .collect();
    // The server may end at once.
    let above_zero = times
        .iter()
        .filter(|(key, seconds)| *seconds == 0 && *key != "limits.shutdown_seconds");
    nothing.extend(above_zero.map(|(key, _)| *key));
    if file.listen.is_empty() && file.tls.listen.is_empty() {
        return Err(places
            .wrong(&["listen", "tls.listen"], "leaves nothing to serve with")
            .expected("at least one address in listen or tls.listen"));
    }
    if let Some(key) = nothing.first() {
        return Err(places
            .wrong(&[key], &format!("has {key} = 0, and leaves nothing to serve with"))
            .expected(format!("{key} above zero")));
    }
    let mut unlimited: Vec<&str> = Vec::new();
    if table.connections > CONNECTIONS {
        unlimited.push("limits.connections");
    }
    unlimited.extend(
        times
            .iter()
            .filter(|(_, seconds)| *seconds > LONGEST.as_secs())
            .map(|(key, _)| *key),
    );
    if let Some(key) = unlimited.first() {
        let most = if key.ends_with("connections") {
            CONNECTIONS as u64
        } else {
            LONGEST.as_secs()
        };
        return Err(places
            .wrong(&[key], "sets limits that limit nothing")
            .expected(format!("{key} of at most {most}")));
    }
    Ok(Limits {
        connections: table.connections,
        connections_per_address: table.connections_per_address,
        head: Duration::from_secs(table.head_seconds),
        stall: Duration::from_secs(table.stall_seconds),
        shutdown: Duration::from_secs(table.shutdown_seconds),
        ..Limits::default()
    })
}

fn export(table: ExportTable, places: &Places) -> Result<ExportSettings> {
    if let Some(asked) = table.approvals.filter(|asked| *asked > limits::SIGNATURES) {
        return Err(places
            .wrong(
                &["export.approvals"],
                &format!("asks for {asked} approvals of a package"),
            )
            .expected(format!("export.approvals up to {}", limits::SIGNATURES)));
    }
    let bytes = |mib: u64| mib.saturating_mul(1 << 20);
    if bytes(table.max_size_mib) < limits::PACKAGE_BYTES_MIN {
        return Err(places
            .wrong(&["export.max_size_mib"], "leaves no room for a package of any use")
            .expected("export.max_size_mib of 1 or more"));
    }
    if table.outbox_mib < table.max_size_mib {
        let (outbox, most) = (table.outbox_mib, table.max_size_mib);
        let found = format!(
            "leaves no room for a package of any use: {outbox} MiB of outbox, for packages of up to {most} MiB"
        );
        return Err(places
            .wrong(&["export.outbox_mib", "export.max_size_mib"], &found)
            .expected("export.outbox_mib of at least export.max_size_mib"));
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

fn accepted(text: &str, number: usize, places: &Places) -> Result<(Name, Name)> {
    text.split_once('/')
        .and_then(|(product, channel)| Some((product.parse().ok()?, channel.parse().ok()?)))
        .ok_or_else(|| {
            places
                .wrong_element("accept", number, &format!("accepts {text:?}"))
                .expected("PRODUCT/CHANNEL, as in \"acme-erp/stable\"")
        })
}

fn shared(host: String, number: usize, places: &Places) -> Result<String> {
    if is_host(&host) {
        return Ok(host);
    }
    let found = format!("has the shared host {host:?}");
    Err(places
        .wrong_element("registry.shared_hosts", number, &found)
        .expected("a registry host, as in \"ghcr.io\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Switch;

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
            ("[registry]\nread = \"anybody\"", "line 2, column 8: unknown word"),
            (
                "[registry]\nread = \"credentials\"\nnetworks = [\"10.0.0.0/8\"]",
                "line 3, column 12: names registry.networks, but registry.read is \"credentials\"",
            ),
            (
                "[registry]\nread = \"networks\"",
                "line 2, column 8: has registry.read = \"networks\" and names none",
            ),
            (
                "[registry]\nnetworks = [\"10.0.0.0/8\"]",
                "line 2, column 12: names registry.networks, but registry.read is \"loopback\"",
            ),
            (
                "[registry]\nread = \"networks\"\nnetworks = [\"10.0.0.0/8\",\n  \"10.0.0.1/8\"]",
                "airlock.toml, line 4, column 3: ",
            ),
            (
                "[registry]\nshared_hosts = [\"GHCR.io/x\"]",
                "line 2, column 17: has the shared host",
            ),
            ("listen = []", "line 1, column 10: leaves nothing to serve with"),
            ("[tls]\ncertificate = \"a.pem\"", "a part of a certificate"),
            (
                "[tls]\nauthority = \"a.pem\"",
                "line 2, column 13: names a part of a certificate",
            ),
            ("[agents]\nadress = \"x\"", "line 2, column 1: unknown field `adress`"),
            ("accept = [\"erp\"]", "expected PRODUCT/CHANNEL"),
            ("[export]\nprofile = \"most\"", "line 2, column 11: unknown word"),
            ("[export]\nshow = [\"everything\"]", "line 2, column 9: unknown word"),
            ("[export]\napprovals = 33", "line 2, column 13: asks for 33 approvals"),
            ("[export]\nmax_size_mib = 0", "no room for a package"),
            (
                "[export]\noutbox_mib = 63",
                "line 2, column 14: leaves no room for a package",
            ),
            (
                "[metrics]\nlisten = \"0.0.0.0:9105\"",
                "line 2, column 10: tells numbers of this server",
            ),
            ("[limits]\nconnections = 0", "nothing to serve with"),
            ("[limits]\nconnections = 1000001", "limits that limit nothing"),
            (
                "[limits]\nhead_seconds = 9223372036854775807",
                "limits that limit nothing",
            ),
            (
                "[limits]\nstall_seconds = 86401",
                "line 2, column 17: sets limits that limit nothing",
            ),
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
