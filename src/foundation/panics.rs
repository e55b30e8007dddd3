//! Panics: caught where a thread or a task begins, counted by part, and turned into `E-INTERNAL panic` for whoever waits (threat model
//! F21).
//!
//! A panic is a bug. It must end the one operation that met it and nothing else: no thread may just be gone while others wait for it.
//! So every long-lived thread and task of this crate runs in [`caught`] or [`caught_future`], and its owner decides what follows: the
//! operation ends with this error, or the thread goes on from a state that is known to be good.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use crate::domain::{Class, Error, Result};

/// Panics that were caught since the start of the process, by part.
static CAUGHT: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// Runs a part's work; a panic in it ends here. What the work had borrowed is for the caller to trust or not.
///
/// # Errors
///
/// `E-INTERNAL panic`.
pub fn caught<T>(part: &'static str, work: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| note(part))
}

/// As [`caught`], for a future: it is dropped when it panics.
///
/// # Errors
///
/// `E-INTERNAL panic`.
pub async fn caught_future<F: Future>(part: &'static str, future: F) -> Result<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(note(part))),
        },
    )
    .await
}

/// Counts a panic that somebody else caught, logs it, and returns the error to end with. What the panic said is on stderr already.
pub fn note(part: &'static str) -> Error {
    let mut caught = lock();
    let count = caught.entry(part).or_insert(0);
    *count = count.saturating_add(1);
    tracing::error!(
        part,
        count,
        "ended by a panic: this is a bug of airlock, please report it with this log"
    );
    Error::new(Class::Internal, "panic", format!("{part} ended by a panic"))
        .expected("no panic, whatever the input")
        .remedy("start it again, and report it with its input and the log; nothing half done was made visible")
}

/// Returns how many panics were caught since the start of the process, by part.
pub fn count_by_part() -> BTreeMap<&'static str, u64> {
    lock().clone()
}

fn lock() -> MutexGuard<'static, BTreeMap<&'static str, u64>> {
    CAUGHT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where tests make a part panic: a file of the part's name in the folder `$AIRLOCK_TEST_PANICS` is removed and the caller panics;
/// with a file `NAME.always` it panics every time. Builds without debug assertions have nothing of this.
#[cfg(debug_assertions)]
pub fn point(part: &str) {
    use std::path::PathBuf;
    use std::sync::OnceLock;

    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| std::env::var_os("AIRLOCK_TEST_PANICS").map(PathBuf::from));
    let Some(folder) = folder else { return };
    let asked = std::fs::remove_file(folder.join(part)).is_ok()
        || folder.join(format!("{part}.always")).try_exists().unwrap_or(false);
    assert!(!asked, "a test asked for a panic in {part}");
}

/// Nothing, outside tests.
#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_: &str) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_is_counted() {
        let error = caught("test-work", || panic!("on purpose")).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Internal, "panic"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let waits = async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        };
        runtime.block_on(caught_future("test-work", waits)).unwrap_err();
        assert_eq!(count_by_part().get("test-work"), Some(&2));
        assert_eq!(caught("test-rest", || 7).unwrap(), 7);
        assert_eq!(runtime.block_on(caught_future("test-rest", async { 8 })).unwrap(), 8);
        assert_eq!(count_by_part().get("test-rest"), None);
    }
}
