#!/usr/bin/env python3
"""Time of `bundle create` for a release of ten applications, five of them charts, with helm.

    benches/charts.py --helm FILE [--airlock FILE] [--rounds N]      AIRLOCK_BENCH_DIR says where the files lie

Makes a workspace, images of 4 MiB, five compose applications and five charts: a plain one, one of many objects, one of a
library with charts inside, one whose templates ask what the cluster can do, and one with two sets of values. Builds the
release first cold (what the system keeps of files in memory is dropped before, where this may be done, else that is said),
then warm, and prints each time, what of it helm took alone for the same renderings, and the progress that was shown with the
longest time without any. With `--without` it is also built without helm, from a release file that lists its images.
Loopback only.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
IMAGE = "registry.example.com/shop/{}:1.0"
NAMES = [f"part-{number}" for number in range(12)]


def blob(folder, data):
    name = hashlib.sha256(data).hexdigest()
    (folder / "blobs/sha256" / name).write_bytes(data)
    return {"digest": f"sha256:{name}", "size": len(data)}


def layout(folder):
    """An OCI layout with one image for each name."""
    (folder / "blobs/sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    manifests = []
    kind = "application/vnd.oci.image."
    for name in NAMES:
        layer = {"mediaType": kind + "layer.v1.tar", **blob(folder, os.urandom(4 << 20))}
        config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
        config = {"mediaType": kind + "config.v1+json", **blob(folder, json.dumps(config).encode())}
        manifest = {"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": config, "layers": [layer]}
        listed = {"mediaType": manifest["mediaType"], **blob(folder, json.dumps(manifest).encode())}
        manifests.append({**listed, "annotations": {"org.opencontainers.image.ref.name": name}})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


POD = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: {name}
          image: {image}
"""
BY_MAP = '"{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"'


def values(name, more=""):
    return f"image: {{registry: registry.example.com, repository: shop/{name}, tag: '1.0'}}\nimagePullSecrets: []\n{more}"


def chart(folder, name, image, templates, more=""):
    write(folder / name / "Chart.yaml", f"apiVersion: v2\nname: {name}\nversion: 1.0.0\nappVersion: '1.0'\n")
    write(folder / name / "values.yaml", values(image, more))
    for place, text in templates.items():
        write(folder / name / place, text)


def charts(folder):
    chart(folder, "plain", NAMES[5], {"templates/a.yaml": POD.format(name="plain", image=BY_MAP)})
    services = "".join(f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}}}\ndata: {{a: '{'x' * 900}'}}\n" for n in range(2000))
    chart(folder, "many", NAMES[6], {"templates/a.yaml": POD.format(name="many", image=BY_MAP), "templates/b.yaml": services})
    helper = '{{- define "lib.image" -}}\n{{ printf "%s/%s:%s" .registry .repository .tag }}\n{{- end -}}\n'
    inside = {"templates/_lib.tpl": helper}
    for name, image in (("web", NAMES[7]), ("db", NAMES[8])):
        pod = POD.format(name=name, image='{{ include "lib.image" .Values.image }}')
        inside[f"charts/{name}/Chart.yaml"] = f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n"
        inside[f"charts/{name}/values.yaml"] = values(image)
        inside[f"charts/{name}/templates/a.yaml"] = pod
    chart(folder, "library", NAMES[9], {**inside, "templates/a.yaml": POD.format(name="l", image='{{ include "lib.image" .Values.image }}')})
    asks = '{{- if semverCompare "<1.25-0" .Capabilities.KubeVersion.Version }}\n' + POD.format(name="old", image=BY_MAP) + "{{- end }}\n"
    asks += '---\n{{- if .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}\napiVersion: monitoring.coreos.com/v1\n'
    asks += "kind: ServiceMonitor\nmetadata: {name: a}\n{{- end }}\n"
    chart(folder, "asking", NAMES[10], {"templates/a.yaml": POD.format(name="asking", image=BY_MAP), "templates/b.yaml": asks})
    chart(folder, "twice", NAMES[11], {"templates/a.yaml": POD.format(name="twice", image=BY_MAP)})
    write(folder / "second.yaml", "imagePullSecrets: []\nreplicas: 2\n")


def release(folder, name, listed):
    lines = ["product: shop", "channel: stable", "version: v1", "issued_at: 2026-01-01T00:00:00Z", "expires: 2099-01-01T00:00:00Z", "audience: any", "agents:", "- name: 3.1.0"]
    for agent in ("docker", "autoheal", "kubernetes"):
        lines.append(f"  {agent}: {{source: 'oci:images:{NAMES[0]}', name: 'agents.example.com/{agent}:3.1.0'}}")
    lines.append("images:")
    lines += [f"- {{source: 'oci:images:{name}', name: '{IMAGE.format(name)}'}}" for name in NAMES]
    lines.append("applications:")
    for name_ in NAMES[:5]:
        write(folder / f"{name_}.yaml", f"services:\n  a:\n    image: {IMAGE.format(name_)}\n")
        lines.append(f"- {{name: {name_}, version: '1', compose: [{name_}.yaml]}}")
    for name_ in ("plain", "many", "library", "asking", "twice"):
        inner = ", images_complete: true, image_values: [image" + (", web.image, db.image" if name_ == "library" else "") + "]"
        lines.append(f"- {{name: {name_}, version: '1', chart: {name_}{inner if listed else ''}}}")
    lines.append("targets:")
    lines.append("- name: hall\n  kind: docker\n  deployments: [" + ", ".join(f"{{application: {n}}}" for n in NAMES[:5]) + "]")
    lines.append("- name: line\n  kind: kubernetes\n  namespace: shop\n  deployments:")
    lines += [f"  - {{application: {n}}}" for n in ("plain", "many", "library", "asking", "twice")]
    lines.append("- name: line-2\n  kind: kubernetes\n  namespace: shop\n  deployments: [{application: twice, values: second.yaml}]")
    write(folder / name, "\n".join(lines) + "\n")


def dropped():
    try:
        os.sync()
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
        return True
    except OSError:
        return False


def create(airlock, folder, file, helm, number):
    command = [airlock, "bundle", "create", "-f", file, "-o", "out.airlock", "-w", "w", "--sequence", str(number), "--helm", helm]
    (folder / "out.airlock").unlink(missing_ok=True)
    began = last = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    lines, longest = [], 0.0
    for line in process.stderr:
        now = time.monotonic()
        lines.append((now - began, line.rstrip()))
        longest, last = max(longest, now - last), now
    ended = process.wait()
    took = time.monotonic() - began
    if ended:
        sys.exit("create failed:\n" + "\n".join(line for _, line in lines))
    return took, max(longest, time.monotonic() - last), lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--airlock", default=str(HERE.parent / "target/release/airlock"))
    parser.add_argument("--helm", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", action="store_true")
    given = parser.parse_args()
    airlock, helm = os.path.abspath(given.airlock), os.path.abspath(given.helm)
    folder = pathlib.Path(tempfile.mkdtemp(dir=os.environ.get("AIRLOCK_BENCH_DIR")))
    try:
        layout(folder / "images")
        charts(folder)
        release(folder, "release.yaml", False)
        release(folder, "listed.yaml", True)
        init = [airlock, "vendor", "init", "--product", "shop", "--vendor", "Bench", "--expires", "2100-01-01T00:00:00Z", "w"]
        subprocess.run(init, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cold = dropped()
        took, longest, lines = create(airlock, folder, "release.yaml", helm, 1)
        for at, line in lines:
            print(f"  {at:6.2f} s  {line}")
        print(f"{'cold' if cold else 'first (the caches could not be dropped)'}: {took:.2f} s, longest without progress {longest:.2f} s")
        runs = [create(airlock, folder, "release.yaml", helm, number) for number in range(2, 2 + given.rounds)]
        times = [took for took, _, _ in runs]
        longest = max(longest for _, longest, _ in runs)
        print(f"warm: {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f} of {len(times)}), longest without progress {longest:.2f} s")
        began = time.monotonic()
        for name in ("plain", "many", "library", "asking", "twice"):
            subprocess.run([helm, "template", name, name], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        print(f"helm alone, each chart once, one after the other: {time.monotonic() - began:.2f} s")
        if given.without:
            number = 2 + given.rounds
            runs = [create(airlock, folder, "listed.yaml", "off", number + more)[0] for more in range(given.rounds)]
            print(f"warm, without helm: {statistics.median(runs):.2f} s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
