//! A page of the handbook: its commands, as they stand there between backticks.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::appliance::read;

pub(super) struct Page {
    text: String,
}

impl Page {
    pub(super) fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("handbook").join(name);
        Self {
            text: String::from_utf8(read(&path)).unwrap(),
        }
    }

    /// Returns a section by its title.
    #[track_caller]
    pub(super) fn section(&self, title: &str) -> &str {
        let begun = self.text.split_once(&format!("\n## {title}\n"));
        let (_, rest) = begun.unwrap_or_else(|| panic!("no section {title:?}"));
        rest.split("\n## ").next().unwrap()
    }

    /// Returns the words of a command of a section, without the program's name, with what a reader puts in; and more words behind.
    #[track_caller]
    pub(super) fn words(&self, section: &str, command: &str, put_in: &[(&str, &str)], more: &[&str]) -> Vec<String> {
        let section = self.section(section);
        assert!(
            section.contains(&format!("`{command}`")),
            "the page does not print {command:?}"
        );
        let put = |word: &str| {
            put_in
                .iter()
                .fold(word.to_owned(), |word, (name, held)| word.replace(name, held))
        };
        let words = command.split(' ').skip(1).map(put);
        words.chain(more.iter().map(|word| (*word).to_owned())).collect()
    }

    /// Returns every command of airlock that the page prints.
    pub(super) fn commands(&self) -> BTreeSet<&str> {
        self.text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|span| span.starts_with("airlock ") && !span.contains('\n'))
            .collect()
    }
}

/// A command that is printed is done by a test, word for word.
#[test]
fn every_command_of_the_recovery_page_is_done() {
    let tests = [
        include_str!("drill.rs"),
        include_str!("recovery_site.rs"),
        include_str!("recovery_parts.rs"),
        include_str!("recovery_vendor.rs"),
    ];
    let page = Page::read("recovery.md");
    let commands = page.commands();
    assert!(commands.len() > 30, "{commands:#?}");
    let undone: Vec<_> = commands
        .iter()
        .filter(|command| !tests.iter().any(|test| test.contains(&format!("\"{command}\""))))
        .collect();
    assert!(undone.is_empty(), "{undone:#?}");
}
