//! Looks for secrets in what would travel in clear (J11), and refuses them by name.
//!
//! One rule for texts of every kind: under the name of a secret a value is one, wherever the two stand together.
//!
//! ```text
//! reference      a text with its variables and templates settled, so that none is taken for a part of it
//! key_words      the words of a name
//! keys, value    which names are those of secrets, and which values say something under them (maybe: names that leave it to the value)
//! configuration  names with their values in a line, however it is written; options  those of command lines
//!                (continued: on the line behind; statements: of databases; action: in templates)
//! text           what is a secret by its own form
//! findings       goes through lines, trees and templates; refusal makes one of it all
//! ```
//!
//! Nothing here repeats a value: findings name a file, a line or a path, and a key.

mod action;
mod allow_plain;
mod chart_template;
mod configuration;
mod continued;
mod findings;
#[cfg(test)]
mod findings_tests;
mod key_words;
mod keys;
mod maybe;
mod options;
mod reference;
mod refusal;
mod source;
mod statements;
mod text;
mod value;

pub(super) use allow_plain::AllowPlain;
pub(super) use chart_template::without_comments;
pub(super) use findings::Findings;
pub(super) use text::{private_key, secret_shapes};
