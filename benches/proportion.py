#!/usr/bin/env python3
"""What small bundles make of work, memory and rows (threat model J16, J17).

    benches/proportion.py [--airlock FILE] [--shape NAME]…      AIRLOCK_BENCH_DIR says where the states lie

Makes bundles of shapes that have little to carry and much to say, with the writer of bundle-spec, imports each into an
appliance of its own and serves it. Prints for each: bytes of the bundle, its plain bytes (content and index), CPU seconds and
peak memory of the import, its rows and bytes in the database, peak memory of a server that has it, and what that is for a
MiB of plain bytes. A refused bundle's row says with which class and sub-code. Loopback only; needs `zstd` and GNU time.
"""

import argparse
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "bundle-spec"))
import verify  # noqa: E402
from make_vectors import (CONFIG, INDEX, MANIFEST, REPOSITORY, Content, Recipe, canonical, chain_file,  # noqa: E402
                          descriptor, digest)
import vector_desired  # noqa: E402
import vector_proportion  # noqa: E402

MIB = verify.MIB
SHAPES = {}


def shape(function):
    SHAPES[function.__name__] = function
    return function


def named(content, data, count, repository=REPOSITORY + "/{}", tag=None):
    line = {"kind": "tag", "digest": digest(data), "size": len(data), "media_type": content.types[digest(data)]}
    for number in range(count):
        more = {} if tag is None else {"tag": tag.format(f"{number:06}")}
        content.tags.append({**line, "repository": repository.format(f"{number:06}"), **more})


def ordered(content, early, late=()):
    return vector_proportion.in_order(content, early, late)


def index_of(content, children):
    made = {id(one): descriptor(one, content.types[digest(one)]) for one in {id(one): one for one in children}.values()}
    return content.document(canonical({"manifests": [made[id(one)] for one in children], "schemaVersion": 2}), INDEX)


@shape
def plain_image():
    """One ordinary image of 4 MiB that does not compress: the measure for all others."""
    content = Content()
    content.tag(content.manifest((os.urandom(4 * MIB),)), "1.0")
    return Recipe(content)


@shape
def repeated_children():
    """3 levels of indexes with 10,000 equal children each, under 2,000 names."""
    content = Content()
    image = content.manifest((b"layer",))
    one = index_of(content, [image] * 10_000)
    two = index_of(content, [one] * 10_000)
    three = index_of(content, [two] * 10_000)
    named(content, three, 2000)
    return ordered(content, (three, two, one, image, b"{}"), (b"layer",))


@shape
def names_of_layers():
    """One manifest of 10,000 layers under 300 names: three million pairs."""
    return layers_under(10_000, 300)


@shape
def names_of_layers_at_the_bound():
    """378 layers under 270 names: as many pairs as the lines allow."""
    return layers_under(378, 270)


def layers_under(count, names):
    content = Content()
    layers = [b"%d" % number for number in range(count)]
    image = content.manifest(layers)
    named(content, image, names)
    return ordered(content, (image, b"{}"), layers)


@shape
def edges_at_the_bound():
    """Four million references that 100 names lead to."""
    return vector_proportion.edges(False)


@shape
def tags():
    """100,000 tags of one image."""
    content = Content()
    image = content.manifest((b"layer",))
    named(content, image, 100_000, "a.example/b", "{}")
    return ordered(content, (image, b"{}"), (b"layer",))


@shape
def annotations_under_names():
    """2 MiB of annotations about an image, under 100 names."""
    content = Content()
    image = content.manifest((b"layer",))
    about = content.manifest((b"about",), subject=descriptor(image, MANIFEST), annotations={"x": "x" * (2 * MIB)})
    named(content, image, 100, tag="image")
    named(content, about, 100, tag="about")
    return ordered(content, (image, about, b"{}"), (b"layer", b"about"))


@shape
def small_annotations():
    """Six manifests of 3.9 MiB of annotations of a few bytes each, about an image."""
    content = Content()
    image = content.manifest((b"layer",))
    many = {f"{number:x}": "" for number in range(350_000)}
    about = [content.document(canonical({**many_about(image, many), "x": number}), MANIFEST) for number in range(6)]
    content.tag(image, "image")
    for number, one in enumerate(about):
        content.tag(one, f"about-{number}")
    return ordered(content, (image, *about, b"{}"), (b"layer",))


def many_about(image, annotations):
    return {"annotations": annotations, "config": descriptor(b"{}", CONFIG), "layers": [], "schemaVersion": 2,
            "subject": descriptor(image, MANIFEST)}


@shape
def artifact_types():
    """60 manifests with an artifact type of 4 MiB each, about an image."""
    content = Content()
    image = content.manifest((b"layer",))
    about = [content.manifest((), artifactType="x" * (4 * MIB - 4096), subject=descriptor(image, MANIFEST), x=number)
             for number in range(60)]
    content.tag(image, "image")
    for number, one in enumerate(about):
        content.tag(one, f"about-{number}")
    return ordered(content, (image, *about, b"{}"), (b"layer",))


@shape
def referrers():
    """10,000 manifests about one image, under 5 names."""
    content = Content()
    image = content.manifest((b"layer",))
    subject = descriptor(image, MANIFEST)
    about = [content.manifest((), subject=subject, x=number) for number in range(10_000)]
    top = index_of(content, about)
    content.tag(image, "image")
    named(content, top, 5)
    return ordered(content, (image, top, *about, b"{}"), (b"layer",))


@shape
def rendered_1500():
    """One compose file of 1 MiB that 1,500 deployments of a target name."""
    return vector_desired.rendered(vector_desired.Scene(), [1500]).recipe()


@shape
def rendered_at_the_bound():
    """The same, named by 16 deployments of each of 64 targets."""
    return vector_desired.rendered(vector_desired.Scene(), [16] * 64).recipe()


@shape
def agents_and_targets():
    """9,000 agent versions, 9,000 targets, each of another one."""
    scene = vector_desired.Scene()
    image, docker = scene.state["agents"][0], scene.state["targets"][0]
    docker = {**docker, "deployments": []}
    for name in ("docker_socket", "logs_after", "verifier"):
        docker.pop(name, None)
    bare = {"created_at": image["created_at"], "name": "x"}
    agents = [{**bare, "id": vector_desired.uuid(0x10, number)} for number in range(1, 9000)] + [
        {**image, "id": vector_desired.uuid(0x10, 9000)}]
    scene.state = {"agents": agents, "removed": [], "targets": [
        {**docker, "agent": agents[-1]["id"], "id": vector_desired.uuid(0x7a, number), "name": f"{number}"}
        for number in range(1, 9001)]}
    scene.documents = set()
    return scene.recipe()


@shape
def removals():
    """10,000 removals."""
    scene = vector_desired.Scene()
    scene.state = {"agents": [], "targets": [], "removed": [vector_desired.uuid(0x5d, number) for number in range(1, 10_001)]}
    scene.documents = set()
    return scene.recipe()


@shape
def blobs():
    """60,000 blobs of a few bytes."""
    content, images, layers = Content(), [], []
    for number in range(30):
        of_one = [b"%d %d" % (number, layer) for layer in range(2000)]
        images.append(content.tag(content.manifest(of_one), f"{number}"))
        layers += of_one
    return ordered(content, (*images, b"{}"), layers)


@shape
def blobs_refused():
    """The same again as the next release, with a byte behind its end: refused, and cleaned up."""
    recipe = blobs()
    recipe.head["sequence"] += 1
    return recipe.on("archive", lambda data: data + b"x")


class Site:
    """An appliance in a folder."""

    def __init__(self, airlock, pin):
        self.airlock, self.folder = airlock, pathlib.Path(tempfile.mkdtemp(dir=os.environ.get("AIRLOCK_BENCH_DIR")))
        (self.folder / "root.json").write_bytes(pin)
        self.state = self.folder / "state"
        self.run("init", "--trust", self.folder / "root.json", "--site", "bench", "--state", self.state,
                 "--enrolment", self.folder / "enrolment.json")

    def run(self, *words):
        """Return exit code, text, CPU seconds and peak memory in KiB of a command."""
        # Not wait4 from here: a child's peak begins with the memory of the process that forked it, and this one is large.
        used = self.folder / "used"
        ran = subprocess.run(["/usr/bin/time", "-q", "-o", used, "-f", "%U %S %M", self.airlock, *map(str, words)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        user, system, memory = used.read_text().split()[-3:]
        return ran.returncode, ran.stdout.decode(errors="replace"), float(user) + float(system), int(memory)

    def bundle(self, data):
        path = self.folder / "bundle.airlock"
        path.write_bytes(data)
        return self.run("import", path, "--state", self.state)

    def database(self):
        """Return rows and bytes."""
        size = sum(path.stat().st_size for path in self.state.glob("airlock.db*"))
        with sqlite3.connect(f"file:{self.state}/airlock.db?mode=ro", uri=True) as database:
            tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
            return sum(database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables), size

    def serve(self):
        """Return the peak memory of a server in KiB, once it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        config = self.folder / "airlock.toml"
        config.write_text(f'listen = ["127.0.0.1:{port}"]\n')
        with open(self.folder / "serve.log", "wb") as log:
            server = subprocess.Popen([self.airlock, "serve", "--state", self.state, "--config", config], stdout=log, stderr=log)
        try:
            for _ in range(600):
                try:
                    with socket.create_connection(("127.0.0.1", port), 1) as client:
                        client.sendall(b"GET /v2/ HTTP/1.0\r\n\r\n")
                        if client.recv(64):
                            break
                except OSError:
                    time.sleep(0.1)
            time.sleep(1)
            lines = pathlib.Path(f"/proc/{server.pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)

    def remove(self):
        shutil.rmtree(self.folder)


def measure(airlock, name):
    recipe = SHAPES[name]()
    data = recipe.build()
    plain = sum(len(blob) for blob in recipe.content.blobs.values()) + index_bytes(data)
    site = Site(airlock, chain_file(recipe.first))
    try:
        if name == "blobs_refused":
            site.bundle(blobs().build())
        before = site.database()[0]
        code, text, cpu, memory = site.bundle(data)
        rows, size = site.database()
        said = "imported" if code == 0 else " ".join(next(
            (line for line in text.splitlines() if line.startswith("airlock: E-")), f"airlock: exit {code}").split()[1:3])
        served = site.serve() if code == 0 else 0
    finally:
        site.remove()
    mib = max(plain / MIB, 0.001)
    print(f"{name:30} {len(data):>10,} {plain:>12,} {cpu:>7.2f} {memory / 1024:>7.1f} {rows - before:>9,} {size:>12,} "
          f"{served / 1024:>7.1f} {cpu / mib:>8.3f} {(rows - before) / mib:>10,.0f}  {said}", flush=True)


def index_bytes(data):
    """Bytes of the pages between entry 04 and the fill."""
    at, found = 0, 0
    while not (name := data[at:at + 100].rstrip(b"\0")).startswith(b"06-fill"):
        size = int(data[at + 124:at + 135], 8)
        found += size if name.startswith(b"05-index/") else 0
        at += 512 + size + -size % 512
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--airlock", default=str(HERE.parent / "target/release/airlock"), help="the program")
    parser.add_argument("--shape", action="append", choices=SHAPES, help="only this one; may repeat")
    options = parser.parse_args()
    print(f"{'shape':30} {'bundle':>10} {'plain':>12} {'CPU s':>7} {'MiB':>7} {'rows':>9} {'database':>12} {'serve':>7} "
          f"{'s/MiB':>8} {'rows/MiB':>10}")
    for name in options.shape or SHAPES:
        measure(options.airlock, name)


if __name__ == "__main__":
    main()
