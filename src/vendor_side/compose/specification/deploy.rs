//! How a service is rolled out, and what it may use of a machine: the shapes below `deploy`.

use super::form::Form;
use super::shape::Shape;
use super::words::{
    ANY_TEXT, COUNT, DEVICE_REQUESTS, FRACTION, PAIRS, ROUNDED, TEXTS, TIME, WHOLE, list, mapping, text,
};

const ORDER: Shape = text(Form::Word(&["start-first", "stop-first"]), "start-first or stop-first");
const ROLLOUT: Shape = mapping(
    &[
        ("parallelism", &COUNT),
        ("delay", &TIME),
        ("failure_action", &ANY_TEXT),
        ("monitor", &TIME),
        ("max_failure_ratio", &FRACTION),
        ("order", &ORDER),
    ],
    "a mapping of how it is rolled out",
);
const MEMORY: Shape = text(Form::Size, "a text of bytes with a unit, such as 512m");
const GENERIC: Shape = list(
    &mapping(
        &[(
            "discrete_resource_spec",
            &mapping(
                &[("kind", &ANY_TEXT), ("value", &ROUNDED)],
                "a mapping with kind and value",
            ),
        )],
        "a mapping with discrete_resource_spec",
    ),
    "a list of resources",
);
const RESOURCES: Shape = mapping(
    &[
        (
            "limits",
            &mapping(
                &[("cpus", &FRACTION), ("memory", &MEMORY), ("pids", &WHOLE)],
                "a mapping of limits",
            ),
        ),
        (
            "reservations",
            &mapping(
                &[
                    ("cpus", &FRACTION),
                    ("memory", &MEMORY),
                    ("generic_resources", &GENERIC),
                    ("devices", &DEVICE_REQUESTS),
                ],
                "a mapping of reservations",
            ),
        ),
    ],
    "a mapping with limits and reservations",
);
pub(super) const DEPLOY: Shape = Shape {
    null: true,
    ..mapping(
        &[
            ("mode", &ANY_TEXT),
            ("endpoint_mode", &ANY_TEXT),
            ("replicas", &WHOLE),
            ("labels", &PAIRS),
            ("rollback_config", &ROLLOUT),
            ("update_config", &ROLLOUT),
            ("resources", &RESOURCES),
            (
                "restart_policy",
                &mapping(
                    &[
                        ("condition", &text(Form::Restart, "a text")),
                        ("delay", &TIME),
                        ("max_attempts", &COUNT),
                        ("window", &TIME),
                    ],
                    "a mapping with condition",
                ),
            ),
            (
                "placement",
                &mapping(
                    &[
                        ("constraints", &TEXTS),
                        (
                            "preferences",
                            &list(&mapping(&[("spread", &ANY_TEXT)], "a mapping with spread"), "a list"),
                        ),
                        ("max_replicas_per_node", &COUNT),
                    ],
                    "a mapping with constraints",
                ),
            ),
        ],
        "a mapping of how it is deployed",
    )
};
