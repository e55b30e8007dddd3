//! The shapes of a service's keys.

use super::deploy::DEPLOY;
use super::form::Form;
use super::shape::{List, Number, Others, Shape};
use super::words::{
    ADDRESSES, ANY_NUMBER, ANY_TEXT, COMMAND, COUNT, FLAG, FRACTION, GPUS, GRANTS, HOSTS, NONE, OPTIONS, PAIRS,
    ROUNDED, ROUNDED_COUNT, SIZE, STRICT_FLAG, TEXT_MAP, TEXT_OR_ANY_TEXTS, TEXT_OR_NUMBER, TEXT_OR_TEXTS, TEXTS, TIME,
    ULIMITS, UNIQUE_TEXTS, VARIABLES, WHOLE, WHOLE_SIZE, fields, list, mapping, names, text, unique, whole,
};

const BUILD: Shape = Shape {
    text: Some(Form::Any),
    ..mapping(
        &[
            ("context", &ANY_TEXT),
            ("dockerfile", &ANY_TEXT),
            ("dockerfile_inline", &ANY_TEXT),
            ("entitlements", &TEXTS),
            ("args", &PAIRS),
            ("ssh", &PAIRS),
            ("labels", &PAIRS),
            ("cache_from", &TEXTS),
            ("cache_to", &TEXTS),
            ("no_cache", &FLAG),
            ("no_cache_filter", &TEXT_OR_TEXTS),
            ("additional_contexts", &CONTEXTS),
            ("network", &ANY_TEXT),
            ("provenance", &PROVENANCE),
            ("sbom", &PROVENANCE),
            ("pull", &FLAG),
            ("target", &ANY_TEXT),
            ("shm_size", &WHOLE_SIZE),
            ("extra_hosts", &HOSTS),
            ("isolation", &ANY_TEXT),
            ("privileged", &FLAG),
            ("secrets", &GRANTS),
            ("tags", &TEXTS),
            ("ulimits", &ULIMITS),
            ("platforms", &TEXTS),
        ],
        "a folder, or a mapping with context",
    )
};
const CONTEXT: Shape = text(Form::Pair, "a text: NAME=CONTEXT");
const CONTEXTS: Shape = Shape {
    list: unique(&CONTEXT, "").list,
    expected: "a mapping of names to texts, or a list of NAME=CONTEXT",
    ..TEXT_MAP
};
const PROVENANCE: Shape = Shape {
    flag: true,
    expected: "true, false or a text",
    ..ANY_TEXT
};

const BLOCK_LIMIT: Shape = Shape {
    map: fields(&[("path", &ANY_TEXT), ("rate", &WHOLE_SIZE)], &[], Others::None),
    expected: "a mapping with path and rate",
    ..NONE
};
const BLOCK_LIMITS: Shape = list(&BLOCK_LIMIT, "a list of mappings with path and rate");
/// A number that compose takes as such alone, whatever the specification says of texts.
const WEIGHT: Shape = Shape {
    number: Some(Number::Whole(0, u16::MAX as i64)),
    expected: "a whole number from 0 to 65535",
    ..NONE
};
const BLOCK_WEIGHT: Shape = Shape {
    map: fields(&[("path", &ANY_TEXT), ("weight", &WEIGHT)], &[], Others::None),
    expected: "a mapping with path and weight",
    ..NONE
};
const BLOCK: Shape = Shape {
    map: fields(
        &[
            ("device_read_bps", &BLOCK_LIMITS),
            ("device_read_iops", &BLOCK_LIMITS),
            ("device_write_bps", &BLOCK_LIMITS),
            ("device_write_iops", &BLOCK_LIMITS),
            ("weight", &WEIGHT),
            (
                "weight_device",
                &list(&BLOCK_WEIGHT, "a list of mappings with path and weight"),
            ),
        ],
        &[],
        Others::None,
    ),
    expected: "a mapping of limits",
    ..NONE
};

const DEPENDENCY: Shape = Shape {
    map: fields(
        &[
            ("restart", &FLAG),
            ("required", &FLAG),
            (
                "condition",
                &text(
                    Form::Word(&["service_started", "service_healthy", "service_completed_successfully"]),
                    "service_started, service_healthy or service_completed_successfully",
                ),
            ),
        ],
        &["condition"],
        Others::Extensions,
    ),
    expected: "a mapping with condition",
    ..NONE
};
const DEPENDENCIES: Shape = Shape {
    map: names(&DEPENDENCY, "").map,
    expected: "a list of services, or a mapping of services to conditions",
    ..UNIQUE_TEXTS
};

const DEVICE: Shape = Shape {
    text: Some(Form::Device),
    map: fields(
        &[("source", &ANY_TEXT), ("target", &ANY_TEXT), ("permissions", &ANY_TEXT)],
        &["source", "target"],
        Others::Extensions,
    ),
    expected: "a text SOURCE:TARGET, or a mapping with source and target",
    ..NONE
};

const ENV_FILE: Shape = Shape {
    text: Some(Form::Any),
    map: fields(
        &[("path", &ANY_TEXT), ("format", &ANY_TEXT), ("required", &FLAG)],
        &["path"],
        Others::None,
    ),
    expected: "a path, or a mapping with path",
    ..NONE
};

const EXPOSED: Shape = Shape {
    number: Some(Number::Integer(0, u16::MAX as i64)),
    text: Some(Form::Exposed),
    expected: "a port, or a range of ports",
    ..NONE
};
const MAC: Shape = text(Form::Mac, "a text: a hardware address");

const EXTENDS: Shape = Shape {
    text: Some(Form::Any),
    map: fields(
        &[("service", &ANY_TEXT), ("file", &ANY_TEXT)],
        &["service"],
        Others::None,
    ),
    expected: "a service, or a mapping with service and file",
    ..NONE
};

/// Compose makes a text of a whole number alone.
const GROUP: Shape = Shape {
    number: Some(Number::Integer(i64::MIN, i64::MAX)),
    expected: "a group: a name, or a whole number",
    ..ANY_TEXT
};
const STORAGE_OPTION: Shape = Shape {
    null: true,
    number: Some(Number::Integer(i64::MIN, i64::MAX)),
    expected: "a text or a whole number",
    ..ANY_TEXT
};

const HEALTHCHECK: Shape = mapping(
    &[
        ("disable", &FLAG),
        ("interval", &TIME),
        ("retries", &ROUNDED_COUNT),
        ("test", &TEXT_OR_ANY_TEXTS),
        ("timeout", &TIME),
        ("start_period", &TIME),
        ("start_interval", &TIME),
    ],
    "a mapping with test",
);

const LOGGING: Shape = mapping(
    &[
        ("driver", &ANY_TEXT),
        (
            "options",
            &Shape {
                map: fields(&[], &[], Others::Texts(&LOG_OPTION)),
                expected: "a mapping of options to texts or numbers",
                ..NONE
            },
        ),
    ],
    "a mapping with driver and options",
);
const LOG_OPTION: Shape = Shape {
    null: true,
    ..TEXT_OR_NUMBER
};

const MODEL_USE: Shape = Shape {
    null: true,
    ..mapping(
        &[("endpoint_var", &ANY_TEXT), ("model_var", &ANY_TEXT)],
        "a mapping with endpoint_var and model_var",
    )
};
const MODELS: Shape = Shape {
    map: names(&MODEL_USE, "").map,
    expected: "a list of models, or a mapping of them",
    ..UNIQUE_TEXTS
};

const NETWORK_USE: Shape = Shape {
    null: true,
    ..mapping(
        &[
            ("aliases", &UNIQUE_TEXTS),
            ("interface_name", &ANY_TEXT),
            ("ipv4_address", &text(Form::Address, "a text: an address")),
            ("ipv6_address", &text(Form::Address, "a text: an address")),
            ("link_local_ips", &UNIQUE_TEXTS),
            ("mac_address", &MAC),
            ("driver_opts", &OPTIONS),
            ("priority", &ANY_NUMBER),
            ("gw_priority", &ANY_NUMBER),
        ],
        "a mapping of how the service is in the network, or nothing",
    )
};
const NETWORKS: Shape = Shape {
    map: names(&NETWORK_USE, "").map,
    expected: "a list of networks, or a mapping of them",
    ..UNIQUE_TEXTS
};

const PORT: Shape = Shape {
    number: Some(Number::Integer(1, u16::MAX as i64)),
    text: Some(Form::Port),
    map: fields(
        &[
            ("name", &ANY_TEXT),
            ("mode", &ANY_TEXT),
            ("host_ip", &text(Form::Address, "a text: an address")),
            ("target", &COUNT),
            (
                "published",
                &Shape {
                    number: Some(Number::Whole(0, u16::MAX as i64)),
                    text: Some(Form::Published),
                    expected: "a port, or a range of ports",
                    ..NONE
                },
            ),
            ("protocol", &ANY_TEXT),
            ("app_protocol", &ANY_TEXT),
        ],
        &["target"],
        Others::Extensions,
    ),
    expected: "a port, or a mapping with target",
    ..NONE
};

const HOOK: Shape = Shape {
    map: fields(
        &[
            ("command", &COMMAND),
            ("user", &ANY_TEXT),
            ("privileged", &FLAG),
            ("working_dir", &ANY_TEXT),
            ("environment", &VARIABLES),
        ],
        &["command"],
        Others::Extensions,
    ),
    expected: "a mapping with command",
    ..NONE
};
const HOOKS: Shape = list(&HOOK, "a list of mappings with command");
const START_HOOK: Shape = mapping(
    &[
        ("command", &COMMAND),
        ("image", &ANY_TEXT),
        ("user", &ANY_TEXT),
        ("privileged", &FLAG),
        ("working_dir", &ANY_TEXT),
        ("environment", &VARIABLES),
        ("per_replica", &FLAG),
    ],
    "a mapping with command",
);

const PROVIDER_OPTION: Shape = Shape {
    flag: true,
    list: Some(List {
        item: &Shape {
            flag: true,
            ..TEXT_OR_NUMBER
        },
        unique: false,
    }),
    expected: "a text, a number, true, false or a list of them",
    ..TEXT_OR_NUMBER
};
const PROVIDER: Shape = Shape {
    map: fields(
        &[
            ("type", &ANY_TEXT),
            (
                "options",
                &Shape {
                    map: fields(&[], &[], Others::Texts(&PROVIDER_OPTION)),
                    expected: "a mapping of options",
                    ..NONE
                },
            ),
        ],
        &["type"],
        Others::Extensions,
    ),
    expected: "a mapping with type",
    ..NONE
};

const MOUNT: Shape = Shape {
    text: Some(Form::Volume),
    map: fields(
        &[
            (
                "type",
                &text(
                    Form::Word(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"]),
                    "a kind of mount",
                ),
            ),
            ("source", &ANY_TEXT),
            ("target", &ANY_TEXT),
            ("read_only", &FLAG),
            ("consistency", &ANY_TEXT),
            (
                "bind",
                &mapping(
                    &[
                        ("propagation", &ANY_TEXT),
                        ("create_host_path", &FLAG),
                        (
                            "recursive",
                            &text(Form::Word(&["enabled", "disabled", "writable", "readonly"]), "a text"),
                        ),
                        ("selinux", &text(Form::Word(&["z", "Z"]), "z or Z")),
                    ],
                    "a mapping",
                ),
            ),
            (
                "volume",
                &mapping(
                    &[("labels", &PAIRS), ("nocopy", &FLAG), ("subpath", &ANY_TEXT)],
                    "a mapping",
                ),
            ),
            (
                "tmpfs",
                &mapping(
                    &[
                        (
                            "size",
                            &Shape {
                                number: Some(Number::Whole(0, i64::MAX)),
                                ..SIZE
                            },
                        ),
                        (
                            "mode",
                            &Shape {
                                number: Some(Number::NotNegative),
                                expected: "a number: an octal mode without quotes, such as 0700",
                                ..NONE
                            },
                        ),
                    ],
                    "a mapping",
                ),
            ),
            ("image", &mapping(&[("subpath", &ANY_TEXT)], "a mapping")),
        ],
        &["type", "target"],
        Others::Extensions,
    ),
    expected: "a text SOURCE:TARGET, or a mapping with type, source and target",
    ..NONE
};

const WATCH: Shape = Shape {
    map: fields(
        &[
            ("ignore", &TEXT_OR_TEXTS),
            ("include", &TEXT_OR_TEXTS),
            ("path", &ANY_TEXT),
            (
                "action",
                &text(
                    Form::Word(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
                    "a text",
                ),
            ),
            ("target", &ANY_TEXT),
            ("exec", &HOOK),
            ("initial_sync", &STRICT_FLAG),
        ],
        &["path", "action"],
        Others::Extensions,
    ),
    expected: "a mapping with path and action",
    ..NONE
};
const DEVELOP: Shape = Shape {
    null: true,
    ..mapping(
        &[("watch", &list(&WATCH, "a list of mappings with path and action"))],
        "a mapping with watch",
    )
};

/// The keys of a service.
const KEYS: &[(&str, &Shape)] = &[
    ("annotations", &PAIRS),
    ("attach", &FLAG),
    ("blkio_config", &BLOCK),
    ("build", &BUILD),
    ("cap_add", &UNIQUE_TEXTS),
    ("cap_drop", &UNIQUE_TEXTS),
    ("cgroup", &text(Form::Word(&["host", "private"]), "host or private")),
    ("cgroup_parent", &ANY_TEXT),
    ("command", &COMMAND),
    ("configs", &GRANTS),
    ("container_name", &text(Form::Container, "a text")),
    ("cpu_count", &COUNT),
    ("cpu_percent", &whole(0, 100)),
    ("cpu_period", &ROUNDED),
    ("cpu_quota", &ROUNDED),
    ("cpu_rt_period", &ROUNDED),
    ("cpu_rt_runtime", &ROUNDED),
    ("cpu_shares", &ROUNDED),
    ("cpus", &FRACTION),
    ("cpuset", &ANY_TEXT),
    (
        "credential_spec",
        &mapping(
            &[("config", &ANY_TEXT), ("file", &ANY_TEXT), ("registry", &ANY_TEXT)],
            "a mapping with config, file or registry",
        ),
    ),
    ("depends_on", &DEPENDENCIES),
    ("deploy", &DEPLOY),
    ("develop", &DEVELOP),
    ("device_cgroup_rules", &UNIQUE_TEXTS),
    ("devices", &list(&DEVICE, "a list of devices")),
    ("dns", &ADDRESSES),
    ("dns_opt", &UNIQUE_TEXTS),
    ("dns_search", &TEXT_OR_TEXTS),
    ("domainname", &ANY_TEXT),
    ("entrypoint", &COMMAND),
    (
        "env_file",
        &Shape {
            text: Some(Form::Any),
            ..list(&ENV_FILE, "a path, or a list of paths or of mappings with path")
        },
    ),
    ("environment", &VARIABLES),
    ("expose", &unique(&EXPOSED, "a list of ports")),
    ("extends", &EXTENDS),
    ("external_links", &UNIQUE_TEXTS),
    ("extra_hosts", &HOSTS),
    ("gpus", &GPUS),
    ("group_add", &unique(&GROUP, "a list of groups")),
    ("healthcheck", &HEALTHCHECK),
    ("hostname", &ANY_TEXT),
    ("image", &ANY_TEXT),
    ("init", &FLAG),
    ("ipc", &ANY_TEXT),
    ("isolation", &ANY_TEXT),
    ("label_file", &TEXT_OR_ANY_TEXTS),
    ("labels", &PAIRS),
    ("links", &UNIQUE_TEXTS),
    ("logging", &LOGGING),
    ("mac_address", &MAC),
    ("mem_limit", &SIZE),
    ("mem_reservation", &WHOLE_SIZE),
    ("mem_swappiness", &WHOLE_SIZE),
    ("memswap_limit", &SIZE),
    ("models", &MODELS),
    ("network_mode", &ANY_TEXT),
    ("networks", &NETWORKS),
    ("oom_kill_disable", &FLAG),
    ("oom_score_adj", &whole(-1000, 1000)),
    ("pid", &ANY_TEXT),
    ("pids_limit", &ROUNDED),
    ("platform", &ANY_TEXT),
    ("ports", &unique(&PORT, "a list of ports")),
    ("post_start", &HOOKS),
    ("pre_start", &list(&START_HOOK, "a list of mappings with command")),
    ("pre_stop", &HOOKS),
    ("privileged", &FLAG),
    ("profiles", &UNIQUE_TEXTS),
    ("provider", &PROVIDER),
    ("pull_policy", &text(Form::PullPolicy, "a text")),
    ("pull_refresh_after", &ANY_TEXT),
    ("read_only", &FLAG),
    ("restart", &text(Form::Restart, "a text")),
    ("runtime", &ANY_TEXT),
    ("scale", &WHOLE),
    ("secrets", &GRANTS),
    ("security_opt", &UNIQUE_TEXTS),
    ("shm_size", &SIZE),
    ("stdin_open", &FLAG),
    ("stop_grace_period", &TIME),
    ("stop_signal", &ANY_TEXT),
    (
        "storage_opt",
        &Shape {
            map: fields(&[], &[], Others::Texts(&STORAGE_OPTION)),
            expected: "a mapping of options to texts or whole numbers",
            ..NONE
        },
    ),
    ("sysctls", &PAIRS),
    ("tmpfs", &TEXT_OR_TEXTS),
    ("tty", &FLAG),
    ("ulimits", &ULIMITS),
    ("use_api_socket", &STRICT_FLAG),
    ("user", &ANY_TEXT),
    ("userns_mode", &ANY_TEXT),
    ("uts", &ANY_TEXT),
    ("volumes", &unique(&MOUNT, "a list of mounts")),
    ("volumes_from", &UNIQUE_TEXTS),
    ("working_dir", &ANY_TEXT),
];

/// A service.
pub(super) const SERVICE: Shape = mapping(KEYS, "a mapping with its image");

/// A service of a stack: which keys it may have, a list of its own says.
pub(super) const STACK_SERVICE: Shape = Shape {
    map: fields(KEYS, &[], Others::Any),
    ..SERVICE
};
