//! A thread that notices what other processes changed: an activation, a new secret, a target that was taken away.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::service::Hub;
use crate::domain::{Class, Error, Result};

/// How long a change by another process may stay unseen.
const PAUSE: Duration = Duration::from_millis(100);
/// Looks between two reads of the generation itself, should a commit go unnoticed.
const LOOKS: u32 = 10;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct HubWatcher {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl HubWatcher {
    /// Starts watching.
    ///
    /// # Errors
    ///
    /// Those of the database, and `E-IO` when no thread can be started.
    pub fn start(hub: &Arc<Hub>) -> Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let mut watch = hub.watch()?;
        let (hub, flag) = (hub.clone(), stop.clone());
        let body = move || {
            let (mut looks, mut failing) = (0, false);
            while !wait(&flag) {
                looks += 1;
                if matches!(watch.changed(), Ok(false)) && looks < LOOKS {
                    continue;
                }
                looks = 0;
                let refreshed = hub.refresh();
                if let Err(error) = &refreshed
                    && !failing
                {
                    // Once per failure, not ten times a second.
                    tracing::error!(%error, "targets cannot be loaded again; what was known goes on being answered");
                }
                failing = refreshed.is_err();
            }
        };
        let thread = std::thread::Builder::new()
            .name("targets".to_owned())
            .stack_size(1 << 20)
            .spawn(body)
            .map_err(|e| Error::new(Class::Io, "thread", format!("cannot start a thread: {e}")).with_source(e))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for HubWatcher {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread beside the hub ended by a panic");
        }
    }
}

/// Waits, and says whether it is time to end.
fn wait((stopped, bell): &(Mutex<bool>, Condvar)) -> bool {
    let stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
    let (stopped, _) = bell
        .wait_timeout_while(stopped, PAUSE, |stopped| !*stopped)
        .unwrap_or_else(PoisonError::into_inner);
    *stopped
}
