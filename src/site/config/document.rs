//! The file as it is written: each key once, with its type, its default, what it means, what it takes and an example. The parser, the
//! sample and the reference are all made of these tables, so none of them can know a key that another one lacks.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Activation;
use super::key::Key;
use crate::appliance::SharedHosts;
use crate::appliance::export::{ExportSettings, Profile};
use crate::http::{AgentSettings, Limits, Settings};
use crate::package::Switch;

/// Declares a table of the file: what serde reads, its defaults, and the [`Key`]s that say what each is.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        $name:ident [$path:literal] {
            $($(#[doc = $meaning:literal])+ $key:ident: $type:ty = $default:expr, $takes:literal, $example:literal;)+
        }
        $(tables { $($table:ident: $table_type:ident,)+ })?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[doc = $meaning])+ pub(super) $key: $type,)+
            $($(pub(super) $table: $table_type,)+)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($key: $default,)+
                    $($($table: $table_type::default(),)+)?
                }
            }
        }

        impl $name {
            const KEYS: &[Key] = &[$(Key {
                table: $path,
                name: stringify!($key),
                meaning: concat!($($meaning),+),
                takes: $takes,
                example: $example,
            },)+];
            const ABOUT: &str = concat!($($about),+);
            $(
                /// Every table: its name, what it is about, its keys.
                pub(super) const TABLES: &[(&str, &str, &[Key])] = &[
                    ("", Self::ABOUT, Self::KEYS),
                    $((stringify!($table), $table_type::ABOUT, $table_type::KEYS),)+
                ];
            )?
        }
    };
}

table! {
    /// what stands before the first table
    Document [""] {
        /// addresses of `airlock serve`
        listen: Vec<SocketAddr> = Settings::default().listen, "ADDRESS:PORT, any number", "[\"127.0.0.1:5000\", \"[::1]:5000\"]";
        /// must be said before other machines are answered without TLS
        plain_http_beyond_loopback: bool = Settings::default().plain_http_beyond_loopback, "true or false", "true";
        /// "manual": an import makes a release available and no more
        activation: Activation = Activation::Automatic, "\"automatic\" or \"manual\"", "\"manual\"";
        /// what may be imported; none: all of the pinned vendors
        accept: Vec<String> = Vec::new(), "PRODUCT/CHANNEL, any number", "[\"acme-erp/stable\"]";
    }
    tables {
        tls: TlsTable,
        agents: AgentsTable,
        registry: RegistryTable,
        status: StatusTable,
        export: ExportTable,
        mirror: MirrorTable,
        care: CareTable,
        metrics: MetricsTable,
        limits: LimitsTable,
    }
}

table! {
    /// HTTPS beside it
    TlsTable ["tls"] {
        /// addresses of `airlock serve` with HTTPS
        listen: Vec<SocketAddr> = Vec::new(), "ADDRESS:PORT, any number", "[\"0.0.0.0:5443\"]";
        /// host names and addresses that clients use; under others nobody is answered
        names: Vec<String> = Vec::new(), "host names or addresses, without port", "[\"airlock.plant.example\"]";
        /// the site's own, read again when it changes; else the appliance's authority signs one
        certificate: Option<PathBuf> = None, "a PEM file", "\"/etc/airlock/tls.pem\"";
        /// its key, without passphrase, for its owner alone
        key: Option<PathBuf> = None, "a PEM file", "\"/etc/airlock/tls.key\"";
        /// what agents shall trust then; else what their system trusts
        authority: Option<PathBuf> = None, "a PEM file", "\"/etc/airlock/ca.pem\"";
    }
}

table! {
    /// what agents are told
    AgentsTable ["agents"] {
        /// how often they ask; no divisor of 30 s (an agent may hang then)
        interval: String = AgentSettings::default().interval, "a duration as Go writes it", "\"10.7s\"";
        /// where agents and engines find this appliance, and a name that requests may come under; else from where it listens
        address: Option<String> = AgentSettings::default().address, "HOST or HOST:PORT", "\"airlock.plant.example:5443\"";
        /// whether they use plain HTTP; else from whether HTTPS is served
        plain_http: Option<bool> = AgentSettings::default().plain_http, "true or false", "false";
    }
}

table! {
    /// who may read content
    RegistryTable ["registry"] {
        /// "credentials": who shows an agent's token, or what `airlock access add` has shown
        read: Read = Read::Loopback, "\"loopback\", \"networks\" or \"credentials\"", "\"credentials\"";
        /// who may read then
        networks: Vec<String> = Vec::new(), "networks, with read = \"networks\"", "[\"10.0.0.0/8\"]";
        /// how long digests of a replaced release can still be pulled
        grace_seconds: u64 = 3600, "seconds", "7200";
        /// many publish there: nobody's home
        shared_hosts: Vec<String> = SharedHosts::DEFAULT.map(str::to_owned).into(), "registry hosts", "[\"docker.io\", \"ghcr.io\"]";
    }
}

table! {
    /// what agents report
    StatusTable ["status"] {
        /// what their statuses, metrics and logs may take; oldest text goes first
        quota_mib: u64 = 1024, "MiB", "4096";
        /// how long what a vendor acknowledged is kept, while there is room
        keep_days: u32 = 30, "days", "90";
    }
}

table! {
    /// what leaves for vendors
    ExportTable ["export"] {
        /// what status packages show; "standard": versions of agents and metrics too; "full": statuses with their texts and lines of logs too
        profile: Profile = Profile::Minimal, "\"minimal\", \"standard\" or \"full\"", "\"standard\"";
        /// more than that
        show: Vec<Switch> = Vec::new(), "of \"agent-logs\", \"agents\", \"local-names\", \"logs\", \"metrics\", \"status-text\"", "[\"agents\"]";
        /// taken out of every text, beside addresses, credentials and keys
        redact: Vec<String> = ExportSettings::default().redact, "regular expressions, at most 64", "[\"ORDER-[0-9]+\"]";
        /// how many people have to approve a package before it leaves; as many as was said last, at first none, where this is left out
        approvals: Option<usize> = None, "a number, at most 32", "2";
        /// their keys: {"keys":[KEY...]}
        keys: PathBuf = ExportSettings::default().keys, "a JSON file", "\"/etc/airlock/site-keys.json\"";
        /// what a package may have; more is a run of packages
        max_size_mib: u64 = ExportSettings::default().max_size >> 20, "MiB, 1 or more", "16";
        /// what signed packages may take in the outbox; acknowledged ones go first
        outbox_mib: u64 = ExportSettings::default().outbox >> 20, "MiB, at least max_size_mib", "1024";
    }
}

table! {
    /// `airlock mirror`, the one command that connects; only to these addresses
    MirrorTable ["mirror"] {
        /// host, with its port; none: it is off
        registry: Option<String> = None, "HOST or HOST:PORT", "\"harbor.plant.example\"";
        /// whether it is reached without TLS
        plain_http: bool = false, "true or false", "true";
        /// its certificate authority; else what the system trusts
        authority: Option<PathBuf> = None, "a PEM file", "\"/etc/airlock/harbor-ca.pem\"";
        /// one line USER:PASSWORD, mode 600
        credentials: Option<PathBuf> = None, "a file", "\"/etc/airlock/harbor.login\"";
        /// where else that may go, for a token
        token_host: Option<String> = None, "HOST or HOST:PORT", "\"auth.plant.example\"";
        /// before every name there
        prefix: Option<String> = None, "a path of a registry", "\"airlock\"";
        /// what is written in place of hosts or repositories
        map: Vec<String> = Vec::new(), "HOST=NAME or REPOSITORY=NAME", "[\"docker.io=hub\"]";
    }
}

table! {
    /// `airlock gc` and `airlock scrub`
    CareTable ["care"] {
        /// releases of a product and channel that were live before and stay beside the live one
        keep_releases: u64 = 2, "a number", "5";
        /// how fast content is hashed anew; 0: as fast as it goes
        scrub_mib_per_second: u64 = 32, "MiB per second", "100";
    }
}

table! {
    /// numbers for Prometheus
    MetricsTable ["metrics"] {
        /// address of `/metrics`, without TLS and for whoever reaches it: loopback, or one of a network of those who watch; none: it is off
        listen: Option<SocketAddr> = None, "ADDRESS:PORT", "\"127.0.0.1:9105\"";
    }
}

table! {
    /// bounds of the server
    LimitsTable ["limits"] {
        /// at one time; an agent keeps one or two. A quarter is kept for addresses that showed a target's credentials lately; fewer where the limit of open files leaves no room
        connections: usize = Limits::default().connections, "a number, 1 to 1000000", "1024";
        /// of an address, or of an IPv6 /64; an idle one closes for one more
        connections_per_address: usize = Limits::default().connections_per_address, "a number, 1 or more", "64";
        /// for a request's head, and for an idle connection
        head_seconds: u64 = Limits::default().head.as_secs(), "seconds, 1 to 86400", "10";
        /// for a client to take 64 KiB
        stall_seconds: u64 = Limits::default().stall.as_secs(), "seconds, 1 to 86400", "120";
        /// for answers in progress when the server ends
        shutdown_seconds: u64 = Limits::default().shutdown.as_secs(), "seconds, at most 86400", "10";
    }
}

/// Who may read.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Read {
    Loopback,
    Networks,
    Credentials,
}
