//! How the program is linked. Nothing is generated.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PROFILE");
    // At a place of its own choice a program moves 250,000 addresses each time it starts, a third of what starting takes; the tests start it
    // ten thousand times. Released programs keep doing so: what attacks them shall not know where anything stands.
    if std::env::var("PROFILE").as_deref() == Ok("debug")
        && std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux")
    {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
