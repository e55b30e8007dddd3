//! A03: whoever guesses ids fills the queue of those who guess, and no other: an agent's first login is checked meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use airlock::domain::Uuid;
use airlock::http::Settings;

use crate::support::agents::Serving;
use crate::support::appliance::wait_for;
use crate::support::desired::{Desired, HUB_SECRET, hub_verifier, target_id};
use crate::support::in_process::InProcessAppliance;

const WRONG: &str = "0123456789abcdef0123456789abcdef";
/// More than may hash and wait for that, of the ids that nobody knows, together.
const GUESSERS: usize = 40;

#[test]
fn a03_guessed_ids_fill_a_queue_of_their_own() {
    let instance = InProcessAppliance::new();
    // Every one of them waits for its first login with the hub's secret, which is expensive to check.
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::docker(image, 4, "a");
        for n in 0..3 {
            desired.target(&format!("edge-{n}")).verifier = Some(hub_verifier());
        }
        desired
    });
    instance.import(&made, false).unwrap();
    let serving = Serving::start(instance, Settings::default());
    let issued = serving.secret("edge-3");
    let (stop, next) = (AtomicBool::new(false), AtomicU32::new(0));
    let (refused, busy) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..GUESSERS {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let reply = serving.login(&Uuid::derived("guess", &[&number.to_string()]), WRONG);
                    match reply.status {
                        401 => refused.fetch_add(1, Ordering::SeqCst),
                        429 => {
                            assert!(reply.header("retry-after").is_some(), "{reply:?}");
                            busy.fetch_add(1, Ordering::SeqCst)
                        }
                        _ => panic!("{reply:?}"),
                    };
                }
            });
        }
        let limited = || busy.load(Ordering::SeqCst);
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for n in 0..3 {
                // Their queue is full, again and again, and the class is limited before and after each of these.
                let before = limited();
                wait_for("guesses that are told to come again", || limited() > before);
                let target = target_id(&format!("edge-{n}"));
                assert_eq!(
                    serving.login(&target, WRONG).status,
                    401,
                    "it is checked, and not put off"
                );
                assert_eq!(serving.login(&target, HUB_SECRET).status, 200, "the first time");
                assert_eq!(serving.login(&target, HUB_SECRET).status, 200, "and from then on");
                assert_eq!(serving.login(&target_id("edge-3"), &issued).status, 200);
            }
            let before = limited();
            wait_for("guesses that are told to come again", || limited() > before);
        }));
        stop.store(true, Ordering::SeqCst);
        checked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    // They are checked too, one after the other.
    assert!(refused.into_inner() > 0);
}
