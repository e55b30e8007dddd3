//! The README's first command, with the built program.

use crate::airlock::airlock;
use crate::world::World;
use crate::{Outcome, ensure};

/// `airlock demo --once` goes through the whole loop and ends well.
pub(crate) fn demo_once(world: &World) -> Outcome {
    let dir = world.folder("demo")?;
    let said = airlock()
        .args(["demo", "--once", "--listen", "127.0.0.1:0", "--dir"])
        .arg(dir.join("demo"))
        .run()?;
    ensure(said.status.success(), || said.told())?;
    let text = format!("{}{}", said.stdout, said.stderr);
    for shown in ["docker pull", "skopeo copy", "curl"] {
        ensure(text.contains(shown), || format!("the demo shows no {shown}: {text}"))?;
    }
    Ok(())
}
