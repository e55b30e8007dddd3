//! Ways across the gap: a pipe, a stick, a damaged stick.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::airlock::airlock;
use crate::images::fixture;
use crate::process::{Program, end_of};
use crate::world::World;
use crate::{Outcome, ensure};

/// Size of the stick, in sectors of 512 bytes.
const STICK_SECTORS: u64 = 2 * 64 * 1024;

/// A bundle of `fixtures/hello` for any site.
fn images() -> String {
    format!(
        "audience: any\nhome_hosts: [registry.acme.example]\nallow_outside: [{0}]\nimages:\n  - source: oci:{0}:1.0\n    name: registry.acme.example/acme/hello:1.0\n",
        fixture("hello").display()
    )
}

/// `bundle create -o - | import -`: nothing touches a medium.
pub(crate) fn bundle_through_a_pipe(world: &World) -> Outcome {
    let (vendor, _) = world.releases()?;
    let site = world.site("pipe")?;
    let (sender, pipe, stderr) = vendor.create(4, &images(), Path::new("-"))?.pipe()?;
    let received = site.import("-").stdin(pipe).run()?;
    end_of(sender, &stderr)?;
    ensure(received.status.success(), || received.told())?;
    let server = site.serve()?;
    let (here, there) = (
        server.client().pull("acme/hello", "1.0")?,
        world.plain.client().pull("acme/hello", "1.0")?,
    );
    ensure(here == there, || format!("{here:?} came, {there:?} was sent"))
}

/// A release on a FAT file system, as USB sticks have it: written there by the vendor, found there by the site.
pub(crate) fn bundle_on_a_fat_stick(world: &World) -> Outcome {
    let dir = world.folder("stick")?;
    let image = dir.join("stick.img");
    File::create(&image)?.set_len(STICK_SECTORS * 512)?;
    Program::new("mformat")
        .arg("-F")
        .args(["-T", &STICK_SECTORS.to_string(), "-i"])
        .arg(&image)
        .arg("::")
        .ok()?;
    let mount = dir.join("stick");
    let stick = Stick::plug_in(&image, &mount, "rw+")?;
    let (vendor, _) = world.releases()?;
    vendor.create(5, &images(), &mount.join("acme-5.airlock"))?.ok()?;
    drop(stick);
    // Write-protected on the other side. The folder holds exactly one bundle, so naming the mount point is enough.
    let stick = Stick::plug_in(&image, &mount, "ro")?;
    let site = world.site("stick-site")?;
    site.imported(&mount)?;
    drop(stick);
    let server = site.serve()?;
    let (here, there) = (
        server.client().pull("acme/hello", "1.0")?,
        world.plain.client().pull("acme/hello", "1.0")?,
    );
    ensure(here == there, || format!("{here:?} came, {there:?} was sent"))
}

/// A release in volumes, each written onto a stick of its own, which are plugged in one after the other in no order.
pub(crate) fn volumes_on_three_fat_sticks(world: &World) -> Outcome {
    let dir = world.folder("sticks")?;
    let (vendor, _) = world.releases()?;
    let source = world.plain.host();
    let images = format!(
        "audience: any\nhome_hosts: [registry.acme.example]\nimages:\n  - source: {source}/acme/app:stable\n    name: registry.acme.example/acme/app:stable\n"
    );
    let out = dir.join("acme-11.airlock");
    let create =
        || Ok::<_, Box<dyn std::error::Error>>(vendor.create(11, &images, &out)?.args(["--encodings", "none"]));
    let plan = create()?.args(["--format", "json", "--dry-run"]).ok()?;
    let plan: Value = serde_json::from_str(&plan)?;
    let size = plan["largest_bytes"].as_u64().unwrap_or(0) / 4 + (5 << 20);
    create()?.args(["--volume-size", &size.to_string()]).ok()?;
    let mut volumes = fs::read_dir(&dir)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    ensure(volumes.len() >= 3, || format!("{size} bytes a volume gave {volumes:?}"))?;
    volumes.sort();
    // Another order in every run.
    let first = std::process::id() as usize % volumes.len();
    volumes.rotate_left(first);
    volumes.reverse();
    let site = world.site("sticks-site")?;
    let mount = world.folder("stick-in")?;
    for (number, volume) in volumes.iter().enumerate() {
        let image = mount.with_extension(number.to_string());
        let sectors = fs::metadata(volume)?.len() / 512 + 8 * 1024;
        File::create(&image)?.set_len(sectors * 512)?;
        Program::new("mformat")
            .args(["-T", &sectors.to_string(), "-i"])
            .arg(&image)
            .arg("::")
            .ok()?;
        Program::new("mcopy").arg("-i").arg(&image).arg(volume).arg("::").ok()?;
        let stick = Stick::plug_in(&image, &mount, "ro")?;
        if number + 1 < volumes.len() {
            let said = site.import(&mount).refused(20)?;
            ensure(said.contains("is missing"), || format!("the refusal says {said}"))?;
        } else {
            site.imported(&mount)?;
        }
        drop(stick);
    }
    let server = site.serve()?;
    let (here, there) = (
        server.client().pull("acme/app", "stable")?,
        world.plain.client().pull("acme/app", "stable")?,
    );
    ensure(here == there, || format!("{here:?} came, {there:?} was sent"))
}

/// One flipped bit on the way: refused with its class, nothing of it visible, and the server goes on serving the old release.
pub(crate) fn flipped_bit_is_refused_while_serving(world: &World) -> Outcome {
    let dir = world.folder("flipped")?;
    let site = world.site("flipped-site")?;
    site.imported(&world.release(1)?.bundle)?;
    let server = site.serve()?;
    let bundle = dir.join("flipped.airlock");
    fs::copy(&world.release(2)?.bundle, &bundle)?;
    let file = File::options().read(true).write(true).open(&bundle)?;
    let place = file.metadata()?.len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, place)?;
    file.write_all_at(&[byte[0] ^ 0x10], place)?;
    let said = site.import(&bundle).refused(19)?;
    ensure(said.contains("E-INTEGRITY"), || format!("the refusal says {said}"))?;
    let verify = airlock()
        .args(["bundle", "verify"])
        .arg(&bundle)
        .arg("--trust")
        .arg(world.root()?);
    verify.refused(19)?;
    let served = server.client().pull("acme/app", "stable")?;
    ensure(&served == world.release(1)?.graph("acme/app")?, || {
        format!("after the refusal {served:?} is served")
    })?;
    // The good copy still goes in.
    site.imported(&world.release(2)?.bundle)?;
    let release = world.release(2)?;
    server.client().shows("acme/app", "stable", release.top("acme/app")?)?;
    let served = server.client().pull("acme/app", "stable")?;
    ensure(&served == release.graph("acme/app")?, || {
        format!("after the good copy {served:?} is served")
    })
}

/// A mounted FAT image; dropping it unmounts.
struct Stick(PathBuf);

impl Stick {
    fn plug_in(image: &Path, mount: &Path, how: &str) -> Outcome<Self> {
        fs::create_dir_all(mount)?;
        Program::new("fusefat").args(["-o", how]).arg(image).arg(mount).ok()?;
        Ok(Self(mount.to_path_buf()))
    }
}

impl Drop for Stick {
    fn drop(&mut self) {
        Program::new("fusermount").arg("-u").arg(&self.0).run().ok();
    }
}
