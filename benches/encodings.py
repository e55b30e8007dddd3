#!/usr/bin/env python3
"""What travel forms save and cost: real layers, beside zstd of their plain tars at the same level, in one run.

    benches/encodings.py [--dir DIR] [--airlock FILE] [--level normal|small|quick]

Makes the set once in DIR (kept; remove it to make it anew): layers of Debian packages, a JDK, Python wheels, Python text and npm
packages, each in an older and a newer patch level, one with other times only and one with one file changed. The docker engine builds
an image of each from scratch and pushes it to a registry here, so every layer is a gzip file of its own making. Then it makes
bundles of the older ones with and without travel forms, verifies and imports them, and prints sizes, seconds, memory and which
producer each layer was found to come from. Last it makes bundles of the newer ones for sites that hold the older ones, and imports them there.

Needs dockerd (DOCKER_HOST says where), docker-registry, skopeo, zstd, dpkg-deb, apt-get, pip, npm, 6 GB of disk, and the package
registries for the first run. Loopback only beyond that. Ends with 1 when a bar is missed.
"""

import argparse
import gzip
import hashlib
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tarfile
import time

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20

# Each layer by an older and a newer patch level.
DEBIAN = ["perl", "perl-base", "perl-modules-5.36", "libperl5.36", "python3.11", "python3.11-minimal", "libpython3.11",
          "libpython3.11-minimal", "libpython3.11-stdlib", "libssl3", "openssl", "libc6", "locales", "git", "vim-runtime", "gdb"]
JDK = ["openjdk-17-jre-headless", "openjdk-17-jdk-headless"]
WHEELS = (["numpy==1.26.3", "scipy==1.11.3", "pandas==2.1.3"], ["numpy==1.26.4", "scipy==1.11.4", "pandas==2.1.4"])
TEXT = (["ansible==9.0.1", "botocore==1.34.10", "sympy==1.12"], ["ansible==9.1.0", "botocore==1.34.11", "sympy==1.12.1"])
NPM = (["next@14.0.3", "typescript@5.3.2", "date-fns@2.30.0", "@swc/core-linux-x64-gnu@1.3.99"],
       ["next@14.0.4", "typescript@5.3.3", "date-fns@3.0.0", "@swc/core-linux-x64-gnu@1.3.100"])


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, **more)


def say(text):
    print(text, flush=True)


# --- the set -------------------------------------------------------------------------------------------------------


def versions(name):
    """The versions of a Debian package that can be had, the newest first."""
    shown = run("apt-cache", "madison", name, capture_output=True, text=True).stdout
    found = []
    for line in shown.splitlines():
        version = line.split("|")[1].strip()
        if version not in found and "Packages" in line:
            found.append(version)
    return found


def debian(names, number, tree, work):
    """Unpacks packages: the newest version, or the one before where there is one."""
    for name in names:
        version = versions(name)[:2][::-1][number if len(versions(name)) > 1 else 0]
        run("apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", f"{name}={version}", cwd=work)
        package = next(work.glob(f"{name}_*.deb"))
        run("dpkg-deb", "-x", package, tree)
        package.unlink()


def wheels(names, tree):
    run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile",
        "--only-binary", ":all:", "--python-version", "3.11", "--target", tree / "usr/lib/python3/dist-packages", *names)


def npm(names, tree, work):
    modules = tree / "srv/app/node_modules"
    for name in names:
        packed = run("npm", "pack", "--silent", name, cwd=work, capture_output=True, text=True).stdout.split()[-1]
        folder = modules / name.rsplit("@", 1)[0]
        folder.mkdir(parents=True)
        run("tar", "-xzf", work / packed, "-C", folder, "--strip-components=1")
        (work / packed).unlink()


def make_trees(trees, work):
    for number, age in enumerate(["old", "new"]):
        for name in ["debian", "jdk", "wheels", "text", "npm"]:
            tree = trees / f"{name}-{age}"
            if tree.exists():
                continue
            say(f"unpacking {tree.name}")
            partial = trees / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            if name == "debian":
                debian(DEBIAN, number, partial, work)
            elif name == "jdk":
                debian(JDK, number, partial, work)
            elif name == "wheels":
                wheels(WHEELS[number], partial)
            elif name == "text":
                wheels(TEXT[number], partial)
            else:
                npm(NPM[number], partial, work)
            partial.rename(tree)
    for name, change in [("debian-times", "times"), ("debian-file", "file")]:
        tree = trees / name
        if tree.exists():
            continue
        run("cp", "-a", trees / "debian-old", trees / "partial")
        if change == "times":
            run("find", trees / "partial", "-exec", "touch", "-h", "-d", "2026-02-03T04:05:06Z", "{}", "+")
        else:
            changed = next((trees / "partial").rglob("perl5*/**/*.pm"), None) or next((trees / "partial").rglob("*.pm"))
            changed.write_bytes(changed.read_bytes() + b"# one line more\n")
        (trees / "partial").rename(tree)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def build(base, trees, layout):
    """One image from scratch for each tree, built and pushed by the docker engine."""
    port = free_port()
    settings = base / "registry.yml"
    settings.write_text(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {base / 'registry'}}}}}\n"
                        f"http: {{addr: '127.0.0.1:{port}'}}\nlog: {{level: error}}\n")
    registry = subprocess.Popen(["docker-registry", "serve", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        for tree in sorted(trees.iterdir()):
            name = f"127.0.0.1:{port}/{tree.name}:1"
            say(f"building {tree.name}")
            recipe = base / "Dockerfile"
            recipe.write_text("FROM scratch\nCOPY . /\n")
            run("docker", "build", "--quiet", "--file", recipe, "--tag", name, tree,
                env={**os.environ, "DOCKER_BUILDKIT": "0"}, stdout=subprocess.DEVNULL)
            run("docker", "push", "--quiet", name, stdout=subprocess.DEVNULL)
            run("skopeo", "copy", "--quiet", "--src-tls-verify=false", "--preserve-digests", f"docker://{name}",
                f"oci:{layout}:{tree.name}")
            run("docker", "image", "rm", "--force", name, stdout=subprocess.DEVNULL)
    finally:
        registry.terminate()
        registry.wait()
    shutil.rmtree(base / "registry")


def make_set(base):
    layout = base / "layout"
    if layout.exists():
        return layout
    work = base / "work"
    work.mkdir(parents=True, exist_ok=True)
    make_trees(base / "trees", work)
    partial = base / "layout-partial"
    shutil.rmtree(partial, ignore_errors=True)
    build(base, base / "trees", partial)
    partial.rename(layout)
    return layout


def layers(layout):
    """The one layer of each image: digest and size."""
    blobs = layout / "blobs/sha256"
    index = json.loads((layout / "index.json").read_text())
    found = {}
    for listed in index["manifests"]:
        manifest = json.loads((blobs / listed["digest"].split(":")[1]).read_text())
        name = listed["annotations"]["org.opencontainers.image.ref.name"]
        found[name] = manifest["layers"][0]
    return blobs, found


# --- measured ------------------------------------------------------------------------------------------------------


def timed(*command, **more):
    """Seconds, peak memory in MiB and output of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    child = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    out, err = child.communicate()
    seconds = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode != 0:
        sys.exit(f"{command}: {err[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, out


def peak(*command):
    """Peak memory of a command in MiB, by GNU time."""
    run_ = subprocess.run(["/usr/bin/time", "-f", "%M", *[str(word) for word in command]], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=True)
    return int(run_.stderr.split()[-1]) / 1024


def again_with(create, out, as_it_is=None):
    """The same command to another file, which is removed before; or that of a release whose layers travel as they are."""
    out.unlink(missing_ok=True)
    command = list(create)
    command[command.index("-o") + 1] = out
    if as_it_is:
        command[command.index("-f") + 1] = as_it_is
        command[command.index("--encodings") + 1] = "none"
    return command


def release(layout, names, sequence):
    lines = ["product: bench", "channel: stable", f"version: '{sequence}'", f"sequence: {sequence}", "issued_at: 2026-06-01T00:00:00Z",
             "expires_in: 2000d", "audience: any", "images:"]
    for name in names:
        lines += [f"  - source: oci:{layout.name}:{name}", f"    name: registry.example/{name.split('-')[0]}:1"]
    file = layout.parent / f"release-{sequence}.yaml"
    file.write_text("\n".join(lines) + "\n")
    return file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=pathlib.Path, default=HERE.parent / "target/tmp/encodings")
    parser.add_argument("--airlock", type=pathlib.Path, default=HERE.parent / "target/release/airlock")
    parser.add_argument("--level", action="append", choices=["quick", "normal", "small"])
    given = parser.parse_args()
    base = given.dir.resolve()
    base.mkdir(parents=True, exist_ok=True)
    layout = make_set(base)
    blobs, found = layers(layout)
    old = [name for name in found if name.endswith("-old")]
    packed = sum(found[name]["size"] for name in old)
    say(f"{len(old)} layers of the docker engine: " + ", ".join(f"{name} {found[name]['size'] / MIB:.1f} MiB" for name in old))
    missed = 0

    def bar(what, value, most, unit=""):
        nonlocal missed
        ok = value <= most
        missed += not ok
        shown = f"{value:8.2f}" if most >= 0.01 else f"{value:8.5f}"
        say(f"  {what:<58} {shown}{unit} (bar {most}{unit}) {'ok' if ok else 'MISSED'}")

    def site(name, first):
        """A site with one bundle."""
        state = scratch / name
        run(airlock, "init", "--trust", root, "--site", "bench", "--state", state, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        return state, peak(airlock, "import", first, "--state", state)

    def compare(state, names):
        for name in names:
            digest = found[name]["digest"].split(":")[1]
            stored = state / "blobs/sha256" / digest[:2] / digest
            if hashlib.sha256(stored.read_bytes()).hexdigest() != digest:
                sys.exit(f"{name} is another layer at the site")

    scratch = base / "run"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    plains = []
    for name in old:
        plain = scratch / f"{name}.tar"
        with gzip.open(blobs / found[name]["digest"].split(":")[1]) as source, plain.open("wb") as target:
            shutil.copyfileobj(source, target, MIB)
        plains.append(plain)
    plain_bytes = sum(plain.stat().st_size for plain in plains)
    airlock = given.airlock
    workspace = scratch / "acme"
    run(airlock, "vendor", "init", "--product", "bench", "--vendor", "Bench", workspace, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    root = workspace / "root.json"
    for sequence, level in enumerate(given.level or ["normal"], 1):
        zstd = {"quick": 9, "normal": 12, "small": 19}[level]
        # The bare program: each plain tar by zstd at the same level, on both cores.
        start = time.monotonic()
        bare = 0
        for plain in plains:
            out = scratch / "bare.zst"
            run("zstd", f"-{zstd}", "-T2", "-q", "-f", plain, "-o", out)
            bare += out.stat().st_size
        bare_seconds = time.monotonic() - start
        file = release(layout, old, sequence)
        bundle = scratch / f"{level}.airlock"
        create = [airlock, "--format", "json", "bundle", "create", "-f", file, "-w", workspace, "-o", bundle, "--encodings", "recipes",
                  "--level", level]
        seconds, cpu, out = timed(*create)
        made = json.loads(out)
        encodings = made["encodings"]
        bundle_bytes = bundle.stat().st_size
        say(f"level {level} (zstd {zstd}), {plain_bytes / MIB:.0f} MiB of plain, {packed / MIB:.0f} MiB of gzip layers")
        bar("bundle / gzip layers", bundle_bytes / packed, 0.78 if level != "small" else 0.70)
        bar("bundle / zstd of the plain tars", bundle_bytes / bare, 1.10)
        say(f"  create {seconds:.1f} s ({cpu:.1f} CPU s), zstd alone {bare_seconds:.1f} s")
        bar("create, cold cache / zstd alone", seconds / bare_seconds, 1.7)
        # What a cache saves: the same release once more, beside one whose layers travel as they are.
        again, as_it_is = [], []
        for _ in range(3):
            again.append(timed(*again_with(create, scratch / "again"))[0])
            as_it_is.append(timed(*again_with(create, scratch / "again", release(layout, old, sequence + 100)))[0])
        bar("create, warm cache / create of the gzip layers", min(again) / min(as_it_is), 1.1)
        by_recipe = sum(blob["size"] for blob in encodings["blobs"] if "producer" in blob)
        bar("bytes of layers without a recipe", 1 - by_recipe / packed, 0.10)
        for blob in encodings["blobs"]:
            if blob["size"] >= MIB:
                what = blob.get("producer") or blob.get("encoding") or blob["reason"]
                say(f"    {blob['size'] / MIB:7.1f} MiB  {blob.get('travel_size', blob['size']) / blob['size']:.3f}  {what}")
        verify = [airlock, "bundle", "verify", bundle, "--trust", root]
        seconds, cpu, _ = timed(*verify)
        say(f"  verify: {seconds:.1f} s, {cpu:.1f} CPU s, {plain_bytes / MIB / seconds:.0f} MiB of plain a second")
        bar("verify, MB of plain a second, as seconds for 45 MB", seconds * 45e6 / plain_bytes, 1.0, " s")
        bar("verify, peak memory", peak(*verify), 64, " MiB")
        state, memory = site(f"state-{level}", bundle)
        bar("import, peak memory", memory, 64, " MiB")
        compare(state, old)
        shutil.rmtree(state)
    # Updates of sites that hold the older ones, by the last of these bundles.
    new = [name.replace("-old", "-new") for name in old]
    changes = [("update of all", new, 0.12), *((f"update of {name.split('-')[0]}", [name], 0.40) for name in new),
               ("only times changed", ["debian-times"], 0.005), ("one file changed", ["debian-file"], 0.001)]
    before, _ = site("state-before", bundle)
    for sequence, (what, names, most) in enumerate(changes, 1001):
        update = scratch / "update.airlock"
        update.unlink(missing_ok=True)
        seconds, cpu, out = timed(airlock, "--format", "json", "bundle", "create", "-f", release(layout, names, sequence), "-w", workspace,
                                  "-o", update, "--base", bundle, "--no-cache")
        shared = "" if len(names) == 1 else " together"
        size = update.stat().st_size
        if most < 0.01:
            # Room for signatures, the same in every bundle (format.md 1), says nothing of what a layer costs.
            with tarfile.open(update) as entries:
                size -= entries.getmember("06-fill").size
        bar(f"{what}: bundle / gzip layers{shared}", size / sum(found[name]["size"] for name in names), most)
        say(f"    create {seconds:.1f} s ({cpu:.1f} CPU s)")
        # Each at a site that holds the older ones alone.
        state = shutil.copytree(before, scratch / "state-updates")
        start = time.monotonic()
        memory = peak(airlock, "import", update, "--state", state)
        say(f"    import {time.monotonic() - start:.1f} s")
        bar("    import, peak memory", memory, 64, " MiB")
        compare(state, names)
        shutil.rmtree(state)
    shutil.rmtree(scratch)
    say(f"{missed} MISSED")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
