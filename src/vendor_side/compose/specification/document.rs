//! The compose specification, as a table of shapes.
//!
//! Written from the public specification and from what docker compose answers; nothing of its schema's text is in here. It stands for
//! the compose that agents have ([`COMPOSE_VERSION`]): where a table of shapes is not enough, [`super::super::consistency`] goes on.

use super::super::node::{Map, Node, Value};
use super::super::place::Place;
use super::super::problem::Problem;
use super::service::{SERVICE, STACK_SERVICE};
use super::shape::{Entries, Number, Others, Shape, compare_entries};
use super::words::{ANY_TEXT, FLAG, NONE, OPTIONS, PAIRS, TEXT_MAP, TEXTS, WHOLE, fields, list, mapping, names};
use crate::bundle::desired::DockerMode;

/// The docker compose whose verdicts these are.
pub const COMPOSE_VERSION: &str = "5.6";

/// True, false, or the older form with a name.
const EXTERNAL: Shape = Shape {
    map: fields(&[("name", &ANY_TEXT)], &[], Others::Extensions),
    expected: "true or false",
    ..FLAG
};
/// The same where compose does not look at the older form's other keys.
const LOOSE_EXTERNAL: Shape = Shape {
    map: fields(&[("name", &ANY_TEXT)], &[], Others::Any),
    ..EXTERNAL
};

const POOL: Shape = mapping(
    &[
        ("subnet", &ANY_TEXT),
        ("ip_range", &ANY_TEXT),
        ("gateway", &ANY_TEXT),
        ("aux_addresses", &TEXT_MAP),
    ],
    "a mapping with subnet",
);
const NETWORK: Shape = Shape {
    null: true,
    ..mapping(
        &[
            ("name", &ANY_TEXT),
            ("driver", &ANY_TEXT),
            ("driver_opts", &OPTIONS),
            (
                "ipam",
                &mapping(
                    &[
                        ("driver", &ANY_TEXT),
                        ("config", &list(&POOL, "a list of address pools")),
                        ("options", &TEXT_MAP),
                    ],
                    "a mapping with driver and config",
                ),
            ),
            ("external", &EXTERNAL),
            ("internal", &FLAG),
            ("enable_ipv4", &FLAG),
            ("enable_ipv6", &FLAG),
            ("attachable", &FLAG),
            ("labels", &PAIRS),
        ],
        "a mapping of the network's settings",
    )
};
const VOLUME: Shape = Shape {
    null: true,
    ..mapping(
        &[
            ("name", &ANY_TEXT),
            ("driver", &ANY_TEXT),
            ("driver_opts", &OPTIONS),
            ("external", &EXTERNAL),
            ("labels", &PAIRS),
        ],
        "a mapping of the volume's settings",
    )
};
/// Compose makes a text of a whole number alone.
const SECRET_OPTIONS: Shape = Shape {
    map: fields(
        &[],
        &[],
        Others::Texts(&Shape {
            number: Some(Number::Integer(i64::MIN, i64::MAX)),
            expected: "a text or a whole number",
            ..ANY_TEXT
        }),
    ),
    expected: "a mapping of options to texts or whole numbers",
    ..NONE
};
const SECRET: Shape = mapping(
    &[
        ("name", &ANY_TEXT),
        ("environment", &ANY_TEXT),
        ("file", &ANY_TEXT),
        ("external", &LOOSE_EXTERNAL),
        ("labels", &PAIRS),
        ("driver", &ANY_TEXT),
        ("driver_opts", &SECRET_OPTIONS),
        ("template_driver", &ANY_TEXT),
        // Compose refuses it; what becomes of secrets is said elsewhere, in other words.
        ("content", &ANY_TEXT),
    ],
    "a mapping with file or environment",
);
const CONFIG: Shape = mapping(
    &[
        ("name", &ANY_TEXT),
        ("content", &ANY_TEXT),
        ("environment", &ANY_TEXT),
        ("file", &ANY_TEXT),
        ("external", &LOOSE_EXTERNAL),
        ("labels", &PAIRS),
        ("template_driver", &ANY_TEXT),
    ],
    "a mapping with file, content or environment",
);
const MODEL: Shape = Shape {
    map: fields(
        &[
            ("name", &ANY_TEXT),
            ("model", &ANY_TEXT),
            ("context_size", &WHOLE),
            ("runtime_flags", &TEXTS),
        ],
        &["model"],
        Others::Extensions,
    ),
    expected: "a mapping with model",
    ..NONE
};

const fn document(services: &'static [(&'static str, &'static Shape)]) -> Entries {
    Entries {
        known: services,
        required: &[],
        others: Others::Extensions,
    }
}

macro_rules! top {
    ($service:expr) => {
        document(&[
            ("version", &ANY_TEXT),
            ("name", &ANY_TEXT),
            ("services", &names(&$service, "a mapping of services")),
            ("models", &names(&MODEL, "a mapping of models")),
            ("networks", &names(&NETWORK, "a mapping of networks")),
            ("volumes", &names(&VOLUME, "a mapping of volumes")),
            ("secrets", &names(&SECRET, "a mapping of secrets")),
            ("configs", &names(&CONFIG, "a mapping of configs")),
        ])
    };
}

const COMPOSE: Entries = top!(SERVICE);
const STACK: Entries = top!(STACK_SERVICE);

/// Notes whatever in a document has another shape than the specification gives it.
pub(in super::super) fn check(root: &Map, place: &Place, mode: DockerMode, problems: &mut Vec<Problem>) {
    let shape = match mode {
        DockerMode::Compose => &COMPOSE,
        DockerMode::Swarm => &STACK,
    };
    let whole = Node::new(place, Value::Null);
    compare_entries(&whole, root, shape, "", problems);
}
