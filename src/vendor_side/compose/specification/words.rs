//! Shapes that many keys share.

use super::form::Form;
use super::shape::{Entries, List, Number, Others, Shape};

/// No value at all: what other shapes begin with.
pub(super) const NONE: Shape = Shape {
    null: false,
    flag: false,
    number: None,
    text: None,
    list: None,
    map: None,
    expected: "",
};

pub(super) const ANY_TEXT: Shape = text(Form::Any, "a text");
pub(super) const ANY_NUMBER: Shape = Shape {
    number: Some(Number::Any),
    expected: "a number",
    ..NONE
};
/// True or false and nothing else.
pub(super) const STRICT_FLAG: Shape = Shape {
    flag: true,
    expected: "true or false",
    ..NONE
};
/// True or false, perhaps as a word.
pub(super) const FLAG: Shape = Shape {
    text: Some(Form::Flag),
    ..STRICT_FLAG
};
/// A whole number, perhaps as a text.
pub(super) const WHOLE: Shape = whole(i64::MIN, i64::MAX);
/// The same, not below zero.
pub(super) const COUNT: Shape = whole(0, i64::MAX);
/// A number of which a fraction is dropped, or a text of a whole one.
pub(super) const ROUNDED: Shape = Shape {
    number: Some(Number::Any),
    text: Some(Form::Whole(i64::MIN, i64::MAX)),
    expected: "a whole number",
    ..NONE
};
/// The same, not below zero.
pub(super) const ROUNDED_COUNT: Shape = Shape {
    number: Some(Number::NotNegative),
    text: Some(Form::Whole(0, i64::MAX)),
    expected: "a whole number, 0 or more",
    ..NONE
};
pub(super) const FRACTION: Shape = Shape {
    number: Some(Number::Any),
    text: Some(Form::Number),
    expected: "a number",
    ..NONE
};
pub(super) const SIZE: Shape = Shape {
    number: Some(Number::Any),
    text: Some(Form::Size),
    expected: "a number of bytes, or a text with a unit such as 512m",
    ..NONE
};
/// A size of which no fraction is taken.
pub(super) const WHOLE_SIZE: Shape = Shape {
    number: Some(Number::Whole(i64::MIN, i64::MAX)),
    ..SIZE
};
pub(super) const TIME: Shape = text(Form::Duration, "a time with its unit, such as 30s");
pub(super) const TEXT_OR_NUMBER: Shape = Shape {
    number: Some(Number::Any),
    text: Some(Form::Any),
    expected: "a text or a number",
    ..NONE
};
/// What a label or a variable may be.
const PLAIN: Shape = Shape {
    null: true,
    flag: true,
    expected: "a text, a number, true, false or nothing",
    ..TEXT_OR_NUMBER
};

pub(super) const TEXTS: Shape = list(&ANY_TEXT, "a list of texts");
pub(super) const UNIQUE_TEXTS: Shape = unique(&ANY_TEXT, "a list of texts");
pub(super) const TEXT_OR_TEXTS: Shape = Shape {
    text: Some(Form::Any),
    expected: "a text, or a list of texts",
    ..UNIQUE_TEXTS
};
/// An address or a list of them, which an engine reads.
pub(super) const ADDRESSES: Shape = Shape {
    text: Some(Form::Address),
    list: Some(List {
        item: &text(Form::Address, "an address"),
        unique: true,
    }),
    expected: "an address, or a list of addresses",
    ..NONE
};
/// A text or a list in which a text may come twice.
pub(super) const TEXT_OR_ANY_TEXTS: Shape = Shape {
    text: Some(Form::Any),
    expected: "a text, or a list of texts",
    ..TEXTS
};
/// Pairs, as a mapping or as a list of `KEY=VALUE`.
pub(super) const PAIRS: Shape = Shape {
    map: texts_to(&PLAIN),
    expected: "a mapping of keys to values, or a list of KEY=VALUE",
    ..UNIQUE_TEXTS
};
const VARIABLE: Shape = text(Form::Variable, "a text: NAME=VALUE or NAME");
/// Variables: pairs whose list is looked at more closely.
pub(super) const VARIABLES: Shape = Shape {
    list: Some(List {
        item: &VARIABLE,
        unique: true,
    }),
    ..PAIRS
};
pub(super) const OPTIONS: Shape = Shape {
    map: texts_to(&TEXT_OR_NUMBER),
    expected: "a mapping of options to texts or numbers",
    ..NONE
};
pub(super) const TEXT_MAP: Shape = Shape {
    map: texts_to(&ANY_TEXT),
    expected: "a mapping of texts",
    ..NONE
};
pub(super) const COMMAND: Shape = Shape {
    null: true,
    text: Some(Form::Command),
    expected: "a command: a text, or a list of texts",
    ..TEXTS
};
const HOST: Shape = text(Form::Host, "a text: NAME=ADDRESS");
const HOST_ADDRESSES: Shape = Shape {
    text: Some(Form::Any),
    expected: "an address, or a list of addresses",
    ..TEXTS
};
pub(super) const HOSTS: Shape = Shape {
    list: Some(List {
        item: &HOST,
        unique: true,
    }),
    map: texts_to(&HOST_ADDRESSES),
    expected: "a mapping of names to addresses, or a list of NAME=ADDRESS",
    ..NONE
};
const LIMIT: Shape = Shape {
    number: Some(Number::Integer(i64::MIN, i64::MAX)),
    map: fields(
        &[("soft", &WHOLE), ("hard", &WHOLE)],
        &["soft", "hard"],
        Others::Extensions,
    ),
    ..WHOLE
};
pub(super) const ULIMITS: Shape = Shape {
    map: Some(Entries {
        known: &[],
        required: &[],
        others: Others::Texts(&LIMIT),
    }),
    expected: "a mapping of limits, each a whole number or soft and hard",
    ..NONE
};
const GRANT: Shape = Shape {
    text: Some(Form::Any),
    map: fields(
        &[
            ("source", &ANY_TEXT),
            ("target", &ANY_TEXT),
            ("uid", &ANY_TEXT),
            ("gid", &ANY_TEXT),
            (
                "mode",
                &Shape {
                    number: Some(Number::Integer(i64::MIN, i64::MAX)),
                    text: Some(Form::Mode),
                    expected: "an octal mode, such as 0440",
                    ..NONE
                },
            ),
        ],
        &[],
        Others::Extensions,
    ),
    expected: "a name, or a mapping with source and target",
    ..NONE
};
/// Configs or secrets of a service.
pub(super) const GRANTS: Shape = list(&GRANT, "a list of names, or of mappings with source and target");
const DEVICE_REQUEST: Shape = Shape {
    map: fields(
        &[
            ("capabilities", &UNIQUE_TEXTS),
            (
                "count",
                &Shape {
                    number: Some(Number::Whole(i64::MIN, i64::MAX)),
                    text: Some(Form::Count),
                    expected: "all, or a whole number",
                    ..NONE
                },
            ),
            ("device_ids", &UNIQUE_TEXTS),
            ("driver", &ANY_TEXT),
            ("options", &PAIRS),
        ],
        &["capabilities"],
        Others::Extensions,
    ),
    expected: "a mapping with capabilities",
    ..NONE
};
pub(super) const DEVICE_REQUESTS: Shape = list(&DEVICE_REQUEST, "a list of devices");
const GPU: Shape = Shape {
    map: match DEVICE_REQUEST.map {
        Some(map) => Some(Entries {
            required: &[],
            others: Others::Any,
            ..map
        }),
        None => None,
    },
    ..DEVICE_REQUEST
};
pub(super) const GPUS: Shape = Shape {
    text: Some(Form::Word(&["all"])),
    list: Some(List {
        item: &GPU,
        unique: false,
    }),
    expected: "all, or a list of devices",
    ..NONE
};

pub(super) const fn text(form: Form, expected: &'static str) -> Shape {
    Shape {
        text: Some(form),
        expected,
        ..NONE
    }
}

pub(super) const fn whole(least: i64, most: i64) -> Shape {
    Shape {
        number: Some(Number::Whole(least, most)),
        text: Some(Form::Whole(least, most)),
        expected: "a whole number",
        ..NONE
    }
}

pub(super) const fn list(item: &'static Shape, expected: &'static str) -> Shape {
    Shape {
        list: Some(List { item, unique: false }),
        expected,
        ..NONE
    }
}

pub(super) const fn unique(item: &'static Shape, expected: &'static str) -> Shape {
    Shape {
        list: Some(List { item, unique: true }),
        expected,
        ..NONE
    }
}

/// A mapping of keys with a meaning.
#[expect(clippy::unnecessary_wraps, reason = "it is what a shape's field takes")]
pub(super) const fn fields(
    known: &'static [(&'static str, &'static Shape)],
    required: &'static [&'static str],
    others: Others,
) -> Option<Entries> {
    Some(Entries {
        known,
        required,
        others,
    })
}

/// A mapping with such keys, `x-` besides.
pub(super) const fn mapping(known: &'static [(&'static str, &'static Shape)], expected: &'static str) -> Shape {
    Shape {
        map: fields(known, &[], Others::Extensions),
        expected,
        ..NONE
    }
}

/// A mapping of the author's own names.
pub(super) const fn names(of: &'static Shape, expected: &'static str) -> Shape {
    Shape {
        map: Some(Entries {
            known: &[],
            required: &[],
            others: Others::Names(of),
        }),
        expected,
        ..NONE
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a shape's field takes")]
const fn texts_to(of: &'static Shape) -> Option<Entries> {
    Some(Entries {
        known: &[],
        required: &[],
        others: Others::Texts(of),
    })
}
