//! What a docker agent is told by its manifest.

use serde_json::Value;

use super::{Outcome, failure};

/// The variables of an agent, and the authority that its manifest brings along.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) target: String,
    pub(crate) secret: String,
    pub(crate) login: String,
    pub(crate) manifest: String,
    pub(crate) resources: String,
    pub(crate) status: String,
    pub(crate) metrics: String,
    pub(crate) logs: String,
    pub(crate) agent_logs: String,
    /// As the manifest writes it: a Go duration.
    pub(crate) interval: String,
    /// Empty: no self-update.
    pub(crate) version: String,
    pub(crate) registry: String,
    pub(crate) plain_http: bool,
    /// Image of the agent.
    pub(crate) image: String,
    /// PEM of the authority, when the manifest carries one.
    pub(crate) authority: Option<String>,
}

impl Settings {
    /// Reads the manifest as `docker compose -f - up -d` gets it; a variable that agents need and that is missing is an error,
    /// as it is for them.
    pub(crate) fn read(manifest: &str) -> Outcome<Self> {
        let document: Value = serde_saphyr::from_str(manifest)?;
        let agent = &document["services"]["agent"];
        let environment = agent["environment"]
            .as_object()
            .ok_or("the agent's environment is no mapping")?;
        let optional = |name: &str| {
            let value = environment.get(name).and_then(Value::as_str);
            value.map(str::to_owned)
        };
        let needed = |name: &str| -> Outcome<String> {
            match optional(name) {
                Some(text) if !text.is_empty() => Ok(text),
                _ => failure(format!("the manifest has no {name}")),
            }
        };
        let plain = optional("DISTR_REGISTRY_PLAIN_HTTP").unwrap_or_else(|| "false".into());
        Ok(Self {
            target: needed("DISTR_TARGET_ID")?,
            secret: needed("DISTR_TARGET_SECRET")?,
            login: needed("DISTR_LOGIN_ENDPOINT")?,
            manifest: needed("DISTR_MANIFEST_ENDPOINT")?,
            resources: needed("DISTR_RESOURCE_ENDPOINT")?,
            status: needed("DISTR_STATUS_ENDPOINT")?,
            metrics: needed("DISTR_METRICS_ENDPOINT")?,
            logs: needed("DISTR_LOGS_ENDPOINT")?,
            agent_logs: needed("DISTR_AGENT_LOGS_ENDPOINT")?,
            interval: needed("DISTR_INTERVAL")?,
            version: optional("DISTR_AGENT_VERSION_ID").unwrap_or_default(),
            registry: needed("DISTR_REGISTRY_HOST")?,
            plain_http: plain.parse()?,
            image: agent["image"]
                .as_str()
                .ok_or("the agent's image is no text")?
                .to_owned(),
            authority: certificate(&document),
        })
    }
}

/// The first text in a document that is a certificate.
fn certificate(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains("-----BEGIN CERTIFICATE-----").then(|| text.clone()),
        Value::Array(list) => list.iter().find_map(certificate),
        Value::Object(members) => members.values().find_map(certificate),
        _ => None,
    }
}
