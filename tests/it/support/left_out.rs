//! What a machine cannot do is left out there, and said; in CI nothing is, for what is left out proves nothing.

/// Says why a test, or the rest of it, is left out here. In CI that is a failure.
#[track_caller]
pub(crate) fn left_out(why: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "left out: {why}");
    println!("skipped: {why}");
}

/// Whether this is root's run, which may be anybody and give files to anybody.
#[track_caller]
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        left_out("it needs root, who may give files to another user");
    }
    root
}
