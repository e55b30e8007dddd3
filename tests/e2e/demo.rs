//! The README's first command, with the built program.

use crate::airlock::airlock;
use crate::process::Program;
use crate::world::World;
use crate::{Outcome, ensure, failure};

/// `airlock demo --once` goes through the whole loop, compares what it pulls, and ends well.
pub(crate) fn demo_once(world: &World) -> Outcome {
    let dir = world.folder("demo-once")?;
    let said = airlock()
        .args(["demo", "--once", "--listen", "127.0.0.1:0", "--dir"])
        .arg(dir.join("demo"))
        .run()?;
    ensure(said.status.success(), || said.told())?;
    ensure(
        format!("{}{}", said.stdout, said.stderr).contains("the same as at the vendor"),
        || said.told(),
    )
}

/// The lines that the demo prints for docker, skopeo and curl work as they stand.
pub(crate) fn demo_lines_work_as_printed(world: &World) -> Outcome {
    let dir = world.folder("demo-lines")?;
    let lines_of = |line: &str| line.trim().starts_with("docker pull ").then(|| line.trim().to_owned());
    let (mut demo, docker) = airlock()
        .args(["demo", "--listen", "127.0.0.1:0", "--dir"])
        .arg(dir.join("demo"))
        .serve(lines_of)?;
    let mut lines = vec![docker];
    for start in ["skopeo copy ", "curl "] {
        lines.push(demo.wait_for(|line| line.trim().starts_with(start).then(|| line.trim().to_owned()))?);
    }
    let image = lines.iter().flat_map(|line| line.split_whitespace()).nth(2);
    world.docker.owns(image.ok_or("a docker line without an image")?);
    for line in &lines {
        let said = Program::new("env").arg("-C").arg(&dir).args(["sh", "-c", line]).ok()?;
        let expected = if line.starts_with("docker") {
            "Hello from the other side of the gap."
        } else if line.starts_with("skopeo") {
            "Writing manifest"
        } else {
            "application/vnd.oci.image."
        };
        if !said.contains(expected) {
            return failure(format!("`{line}` printed {said:?}"));
        }
    }
    let (status, log) = demo.end()?;
    ensure(status.success(), || format!("the demo ended with {status}: {log}"))
}
