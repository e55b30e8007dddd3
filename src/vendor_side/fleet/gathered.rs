//! Where everything goes that reading a release finds.

use super::closure::Closure;
use crate::collect::Problems;
use crate::leak::Findings;
use crate::{ReleaseFolder, Warning};

/// Images, problems, secrets and warnings so far.
#[derive(Debug)]
pub(super) struct Gathered {
    /// Where files are read from.
    pub(super) folder: ReleaseFolder,
    /// Images that are needed.
    pub(super) closure: Closure,
    /// What cannot be carried.
    pub(super) problems: Problems,
    /// What must not travel in clear.
    pub(super) findings: Findings,
    /// What is not wrong here and may be at the site.
    pub(super) warnings: Vec<Warning>,
}

impl Gathered {
    /// Begins with the images that the release lists.
    pub(super) fn new(folder: ReleaseFolder, closure: Closure) -> Self {
        Self {
            folder,
            closure,
            problems: Problems::default(),
            findings: Findings::default(),
            warnings: Vec::new(),
        }
    }

    /// Notes a warning once; a sentence that is about a file begins with its place.
    pub(super) fn warn(&mut self, text: String) {
        let warning = Warning::said(text);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
