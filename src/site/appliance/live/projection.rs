//! What a part of the appliance makes of each generation, and answers from.

use std::sync::{Arc, PoisonError, RwLock};

use super::generation::Generation;
use crate::domain::Result;

/// When a projection is switched. Nothing is advertised before it can be pulled (D11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::appliance) enum Order {
    /// Content that clients pull.
    Content,
    /// What agents are told to pull.
    Advertised,
}

/// Makes a part's form of a generation, given the one before; the same again where nothing changed for it.
type Make<T> = Box<dyn Fn(&Generation, Option<&Arc<T>>) -> Result<Arc<T>> + Send + Sync>;

/// A part's form of the present generation.
pub(in crate::appliance) struct Projection<T> {
    current: RwLock<Arc<T>>,
    make: Make<T>,
}

/// A projection of any form, as the owner of the generations sees it.
pub(super) trait Project: Send + Sync {
    /// Makes the form of the next generation, and returns what switches to it. Nothing has changed before that is called.
    fn prepare(self: Arc<Self>, generation: &Generation) -> Result<Box<dyn FnOnce()>>;
}

impl<T> Projection<T> {
    pub(super) fn new(current: Arc<T>, make: Make<T>) -> Self {
        Self {
            current: RwLock::new(current),
            make,
        }
    }

    /// Returns the present form.
    pub(in crate::appliance) fn get(&self) -> Arc<T> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T: Send + Sync + 'static> Project for Projection<T> {
    fn prepare(self: Arc<Self>, generation: &Generation) -> Result<Box<dyn FnOnce()>> {
        let next = (self.make)(generation, Some(&self.get()))?;
        Ok(Box::new(move || {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        }))
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Projection<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Projection").field(&self.get()).finish()
    }
}
