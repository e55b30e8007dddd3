#!/usr/bin/env python3
"""What many clients can make `airlock serve` hold and do, under the memory limit of its unit.

    benches/bounds.py AIRLOCK [AIRLOCK …]        several binaries are compared, each in an appliance of its own

For every case the server is started anew under a data limit of 512 MiB, and meanwhile an agent at another address polls what it shall
run. A line is: the most the server held (VmHWM), the processor seconds it took, the polls that were answered with their median and 99th
percentile, and what the clients got. Cases:

    manifest, middle, resources, referrers, tags, catalogue, charts   300 readers at one address that take nothing
    head                                                    a flood of HEAD for a manifest of 4 MiB
    layer                                                   100 clients that pull one new layer of 256 MiB
    rate                                                    manifests and blobs of 4 KiB, and one of 64 MiB, as fast as possible

AIRLOCK_BENCH_CASES="head layer" runs some of them. Needs wrk, prlimit, zstd and 2 GB of disk. The bundle is made with the writer of bundle-spec; everything stays on loopback.
"""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bundle-spec"))
import make_vectors as spec  # noqa: E402

LIMIT = 512 << 20
READERS = 300
MIB = 1 << 20
HELM = "application/vnd.cncf.helm."
HOST = "registry.example.com"
REPOSITORY = spec.REPOSITORY
TIME = "2026-01-01T00:00:00Z"


def uuid(kind, *parts):
    """The derivation of SPEC.md."""
    made = hashlib.sha256()
    for part in (kind, *parts):
        made.update(len(part.encode()).to_bytes(8, "big") + part.encode())
    raw = bytearray(made.digest()[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x40, raw[8] & 0x3F | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def noise(size, seed):
    source = random.Random(seed)
    return b"".join(source.randbytes(min(MIB, size - at)) for at in range(0, size, MIB))


def stated_manifest(size, name):
    document = {"schemaVersion": 2, "mediaType": spec.MANIFEST, "config": spec.descriptor(b"{}", spec.CONFIG),
                "layers": [], "annotations": {name: ""}}
    text = json.dumps(document)
    return (text[:-3] + "x" * (size - len(text)) + text[-3:]).encode()


def content():
    """One release with everything that is long."""
    made = spec.Content()
    made.blob(b"{}")

    def manifest(data, tag):
        made.types[spec.digest(data)] = spec.MANIFEST
        made.blob(data)
        made.tag(data, tag)
        return data

    manifest(stated_manifest(4 * MIB, "long"), "long")
    manifest(stated_manifest(MIB, "middle"), "middle")
    small = manifest(stated_manifest(4096, "small"), "small")
    layers = [noise(256 * MIB, 7), noise(64 * MIB, 8), noise(4096, 9)]
    made.tag(made.manifest(layers), "layers")
    for number in range(1000):
        made.tag(small, f"{number:04}-" + "t" * 120)
    for number in range(400):
        data = made.manifest(
            (), subject=spec.descriptor(small, spec.MANIFEST), artifactType="application/vnd.example.bench",
            annotations={"number": str(number), **{f"a{part}": "y" * 4000 for part in range(4)}})
        made.tag(data, None)
    for number in range(1000):
        made.tag(small, "1", f"{HOST}/{number:04}/" + "r" * 200)

    def image(name):
        data = made.manifest((name.encode() * 9,))
        made.tag(data, "1", f"{HOST}/distr/{name}")
        return {"digest": spec.digest(data), "repository": f"{HOST}/distr/{name}"}

    agent, heal, cluster = image("docker-agent"), image("autoheal"), image("kubernetes-agent")
    version = uuid("agent", "1")
    documents = []

    def deployment(name, **more):
        return {"application": "shop", "created_at": TIME, "force_restart": False, "id": uuid("one", name),
                "revision": uuid("revision", name), "version": "1", "images": [], **more}

    def target(name, kind, deployments, **more):
        return {"agent": version, "autoheal_all": False, "created_at": TIME, "id": uuid("two", name), "image_cleanup": False,
                "kind": kind, "logs": True, "metrics": False, "name": name,
                "deployments": sorted(deployments, key=lambda one: one["id"]), **more}

    def compose(size):
        data = b"services: {}\n# ".ljust(size - 1, b"x") + b"\n"
        documents.append(("compose", data))
        return {"compose": spec.digest(data), "mode": "compose"}

    long = compose(MIB)
    charts = []
    values = b'{"a":1}'
    documents.append(("values", values))
    chart = f"{HOST}/charts/shop"
    for number in range(120):
        config = json.dumps({"name": "shop", "version": f"1.0.{number}", "keywords": ["k" * 60] * 900}).encode()
        data = made.manifest((b"archive %d" % number,), config=config, layer_type=HELM + "chart.content.v1.tar+gzip")
        document = json.loads(data)
        document["config"]["mediaType"] = HELM + "config.v1+json"
        del made.blobs[spec.digest(data)]
        data = made.document(document, spec.MANIFEST)
        made.tag(data, f"1.0.{number}", chart)
        charts.append(deployment(
            f"chart {number}", images=[{"digest": spec.digest(data), "repository": chart}],
            helm={"chart": chart, "chart_name": "shop", "chart_version": f"1.0.{number}", "ignore_revision_skew": False,
                  "release_name": f"shop-{number}", "source": "repository", "tag": f"1.0.{number}",
                  "values": spec.digest(values)}))
    state = {
        "agents": [{"autoheal": heal, "created_at": TIME, "docker": agent, "id": version, "kubernetes": cluster, "name": "1"}],
        "removed": [],
        "targets": sorted([
            target("long", "docker", [deployment(f"long {number}", docker=long) for number in range(16)]),
            target("usual", "docker", [deployment("usual", docker=compose(2000))]),
            target("cluster", "kubernetes", charts, kubernetes={"namespace": "shop", "scope": "namespace"}),
        ], key=lambda one: one["id"]),
    }
    documents.append(("desired-state", spec.canonical(state)))
    made.documents = sorted(documents, key=lambda entry: (entry[0], spec.digest(entry[1])))
    for _, data in made.documents:
        made.blob(data)
    return made, layers


class Site:
    """An appliance of one binary."""

    def __init__(self, airlock, folder, bundle, pin):
        self.airlock, self.state = airlock, folder / "state"
        self.config = folder / "airlock.toml"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.config.write_text(f'listen = ["127.0.0.1:{self.port}"]\n')
        self.run("init", "--trust", pin, "--site", "bench", "--state", self.state, "--enrolment", folder / "enrolment.json")
        self.run("import", bundle, "--state", self.state)
        self.secrets = {name: self.run("target", "secret", name, "--state", self.state, "--config", self.config).strip()
                        for name in ("long", "usual")}

    def run(self, *arguments):
        done = subprocess.run([self.airlock, *map(str, arguments)], capture_output=True, text=True, input="\n", check=False)
        if done.returncode:
            raise SystemExit(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        with open(self.state.parent / "serve.log", "ab") as log:
            self.process = subprocess.Popen(
                ["prlimit", f"--data={LIMIT}:{LIMIT}", self.airlock, "serve", "--state", self.state, "--config", self.config],
                stdout=log, stderr=log)
        while True:
            try:
                if self.ask("/readyz")[0] == 200:
                    return
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit("the server ended") from None
            time.sleep(0.05)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, path, headers=None, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def token(self, name):
        words = base64.b64encode(f"{uuid('two', name)}:{self.secrets[name]}".encode()).decode()
        status, body = self.ask("/api/v1/agent/login", {"Authorization": "Basic " + words}, "POST")
        assert status == 200, (status, body)
        return json.loads(body)["token"]

    def held(self):
        """MiB at most, and processor seconds, so far; nothing when the server is gone."""
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
            times = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        except OSError:
            return None
        most = next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), None)
        return most and (most, (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"))


class Polls:
    """An agent at another address that polls until it is told to stop."""

    def __init__(self, site):
        self.site, self.times, self.failed, self.going = site, [], 0, True
        self.token = site.token("usual")
        self.thread = threading.Thread(target=self.go, daemon=True)
        self.thread.start()

    def go(self):
        while self.going:
            began = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=20, source_address=("127.0.0.9", 0))
                connection.request("GET", "/api/v1/agent/resources", headers={"Authorization": "Bearer " + self.token})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failed += 1
                connection.close()
            except (OSError, http.client.HTTPException):
                self.failed += 1
            self.times.append(time.monotonic() - began)
            # Below the hub's 500 a minute.
            time.sleep(0.13)

    def end(self):
        self.going = False
        self.thread.join()
        times = sorted(self.times)
        at = lambda part: times[min(len(times) - 1, int(len(times) * part))] * 1000  # noqa: E731
        return f"{len(times) - self.failed}/{len(times)}", f"{at(0.5):.1f}", f"{at(0.99):.1f}"


def slow_readers(site, path, headers=""):
    """Asks from one address and takes nothing; returns what came of it."""
    held, found = [], {}
    for _ in range(READERS):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", site.port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n{headers}\r\n".encode())
        held.append(client)
    for client in held:
        try:
            status = client.recv(12, socket.MSG_PEEK).decode()[9:12] or "closed"
        except OSError:
            status = "none"
        found[status] = found.get(status, 0) + 1
    time.sleep(3)
    for client in held:
        client.close()
    return " ".join(f"{count}x{status}" for status, count in sorted(found.items()))


def wrk(site, path, connections, seconds):
    """Returns requests, and bytes with their unit, a second."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{site.port}{path}"],
        capture_output=True, text=True, check=False).stdout
    rate = next((float(line.split()[1]) for line in done.splitlines() if line.startswith("Requests/sec")), 0.0)
    moved = next((line.split()[1] for line in done.splitlines() if line.startswith("Transfer/sec")), "-")
    return rate, moved


def heads(site, path, connections, seconds):
    """Asks for heads over so many connections at once, and returns answers a second; wrk would wait for their bodies."""
    asked = f"HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n\r\n".encode()
    clients = [socket.create_connection(("127.0.0.1", site.port), 20) for _ in range(connections)]
    until, count = time.monotonic() + seconds, 0
    try:
        while time.monotonic() < until:
            for client in clients:
                client.sendall(asked)
            for client in clients:
                answer = b""
                while b"\r\n\r\n" not in answer:
                    answer += client.recv(4096) or b"\r\n\r\n"
                count += 1
    except OSError:
        pass
    return count / seconds


def cases(site, layers):
    subject = spec.digest(stated_manifest(4096, "small"))
    bearer = lambda name: f"Authorization: Bearer {site.token(name)}\r\n"  # noqa: E731
    manifest = f"/v2/{REPOSITORY}/manifests/"
    blob = lambda data: f"/v2/{REPOSITORY}/blobs/{spec.digest(data)}"  # noqa: E731
    yield "manifest", lambda: slow_readers(site, manifest + "long")
    yield "middle", lambda: slow_readers(site, manifest + "middle")
    yield "resources", lambda: slow_readers(site, "/api/v1/agent/resources", bearer("long"))
    yield "referrers", lambda: slow_readers(site, f"/v2/{REPOSITORY}/referrers/{subject}")
    yield "tags", lambda: slow_readers(site, f"/v2/{REPOSITORY}/tags/list")
    yield "catalogue", lambda: slow_readers(site, "/v2/_catalog")
    yield "charts", lambda: slow_readers(site, f"/charts/{HOST}/charts/shop/index.yaml")
    yield "head", lambda: "{:.0f}/s".format(heads(site, manifest + "long", 64, 5))
    yield "layer", lambda: "{}/s".format(wrk(site, blob(layers[0]), 100, 10)[1])

    def rates():
        small, content_4k = wrk(site, manifest + "small", 32, 4)[0], wrk(site, blob(layers[2]), 32, 4)[0]
        return f"manifest {small:.0f}/s blob {content_4k:.0f}/s 64 MiB {wrk(site, blob(layers[1]), 4, 4)[1]}/s"

    yield "rate", rates


def main():
    binaries = sys.argv[1:] or [str(pathlib.Path("target/release/airlock").resolve())]
    for tool in ("wrk", "prlimit", "zstd"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is needed and not installed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory(dir=os.environ.get("AIRLOCK_BENCH_DIR")) as folder:
        folder = pathlib.Path(folder)
        made, layers = content()
        recipe = spec.Recipe(made, chunk_bytes=4 * MIB, home_hosts=[HOST])
        (folder / "bundle").write_bytes(recipe.build())
        (folder / "root.json").write_bytes(spec.chain_file(recipe.first))
        print("| case | airlock | MiB held | CPU s | polls | p50 ms | p99 ms | clients |\n|---|---|---|---|---|---|---|---|")
        only = os.environ.get("AIRLOCK_BENCH_CASES", "").split()
        for number, airlock in enumerate(binaries):
            (folder / str(number)).mkdir()
            site = Site(airlock, folder / str(number), folder / "bundle", folder / "root.json")
            for name, load in cases(site, layers):
                if only and name not in only:
                    continue
                site.start()
                try:
                    polls = Polls(site)
                    came = load()
                    answered = polls.end()
                    held = site.held()
                finally:
                    site.stop()
                shown = f"{held[0]:.0f} | {held[1]:.1f}" if held else "ended by the limit | -"
                print(f"| {name} | {number} | {shown} | {' | '.join(answered)} | {came} |", flush=True)
            shutil.rmtree(folder / str(number))


if __name__ == "__main__":
    main()
