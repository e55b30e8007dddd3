//! Whole applications, shaped like well-known ones: services, profiles, environment files, volumes, health checks and what waits for what.

use super::Case;

/// The files of one below `tests/it/vendor/applications`.
macro_rules! files {
    ($application:literal: $($name:literal),+) => {
        &[$(($name, include_str!(concat!("../applications/", $application, "/", $name)))),+]
    };
}

/// The environment file of one.
macro_rules! env {
    ($application:literal) => {
        include_str!(concat!("../applications/", $application, "/app.env"))
    };
}

/// The part of a release file about what they need and no file of theirs says.
pub(crate) const SECRETS: &str = include_str!("../applications/secrets.yaml");

/// Every one of them, with the profiles that a customer would choose.
pub(crate) const APPLICATIONS: &[Case] = &[
    Case {
        name: "photo-library",
        files: files!("photo-library": "compose.yaml", "hwaccel.yaml"),
        given: &["compose.yaml"],
        profiles: &[],
        env: env!("photo-library"),
        images: &[
            "docker.io/valkey/valkey:9-alpine",
            "registry.example.com/photos/postgres:14-vectors",
            "registry.example.com/photos/machine-learning:v2.4.1",
            "registry.example.com/photos/server:v2.4.1",
        ],
        old: true,
    },
    Case {
        name: "identity-provider",
        files: files!("identity-provider": "compose.yaml"),
        given: &["compose.yaml"],
        profiles: &[],
        env: env!("identity-provider"),
        images: &[
            "docker.io/library/postgres:16-alpine",
            "docker.io/library/redis:alpine",
            "registry.example.com/identity/server:2026.10.2",
            "registry.example.com/identity/server:2026.10.2",
        ],
        old: true,
    },
    Case {
        name: "workflow-engine",
        files: files!("workflow-engine": "compose.yaml", "init-data.sh"),
        given: &["compose.yaml"],
        profiles: &["queue"],
        env: env!("workflow-engine"),
        images: &[
            "registry.example.com/workflows/engine:1.118.1",
            "postgres:16",
            "redis:6-alpine",
            "registry.example.com/workflows/engine:1.118.1",
        ],
        old: false,
    },
    Case {
        name: "error-tracker",
        files: files!(
            "error-tracker": "compose.yaml", "redis.conf", "nginx.conf", "relay.yml", "tracker/entrypoint.sh", "tracker/config.yml",
            "clickhouse/config.xml"
        ),
        given: &["compose.yaml"],
        profiles: &["feature-complete"],
        env: env!("error-tracker"),
        images: &[],
        old: false,
    },
    Case {
        name: "wiki",
        files: files!("wiki": "compose.yaml", "compose.prod.yaml", "config.yml", "wiki.env"),
        given: &["compose.yaml", "compose.prod.yaml"],
        profiles: &[],
        env: env!("wiki"),
        images: &[
            "postgres:15-alpine",
            "registry.example.com/pages/wiki:2.5",
            "registry.example.com/pages/wiki:2.5",
        ],
        old: false,
    },
];
