//! F22: an `init` that was killed leaves a whole appliance, or what the next one says may be moved away: never something that is called an
//! appliance and is none.

use super::workshop::{Workshop, on, run, said, verdict};
use crate::support::appliance::scratch;
use crate::support::slow::{Share, share};
use crate::support::strace::{self, Fault};

#[test]
fn f22_an_init_that_was_killed_leaves_an_appliance_or_says_what_it_left() {
    if !strace::available() {
        return;
    }
    let workshop = Workshop::new();
    let arguments = |state: &std::path::Path| {
        let mut line = super::workshop::words(&["--format", "json"]);
        line.extend(workshop.init(state));
        line
    };
    let folder = scratch();
    let undisturbed = strace::run(&strace::changing(), &arguments(&folder.path().join("state")));
    assert_eq!(undisturbed.ended.code, Some(0), "{}", undisturbed.ended.stderr);
    // From where the database is begun.
    let all = strace::points(&undisturbed.calls);
    let begun = undisturbed
        .calls
        .iter()
        .position(|call| call.rest.contains("airlock.db"));
    let late: Vec<_> = all[begun.unwrap()..].iter().collect();
    assert!(late.len() > 30, "only {} points", late.len());
    let (first, every) = share().map_or((0, late.len() / 20), Share::points);
    // The last ones, between which the name is given, each.
    let close = late.len() - 8;
    let (mut whole, mut left) = (0, 0);
    for (at, point) in late
        .iter()
        .enumerate()
        .filter(|(at, _)| at % every == first || *at >= close)
    {
        let folder = scratch();
        let state = folder.path().join("state");
        let killed = strace::strike(Fault::Kill, &point.name, point.nth, &arguments(&state));
        assert!(killed.fired(Fault::Kill, &point.name, point.nth), "{at}: {point:?}");
        let again = run(&[], &workshop.init(&state));
        match verdict(&again).1.as_str() {
            "already" => {
                let listed = run(&[], &on(&state, &["release", "list"]));
                assert_eq!(listed.code, Some(0), "{point:?}: {}", listed.stderr);
                whole += 1;
            }
            "part-of-state" => {
                let remedy = said(&again, "remedy");
                assert!(remedy.ends_with("may be moved away by hand"), "{point:?}: {remedy}");
                left += 1;
            }
            other => panic!("{point:?}: {other:?} {}", again.stderr),
        }
    }
    assert!(whole > 0 && left > 0, "{whole} whole, {left} left");
}
