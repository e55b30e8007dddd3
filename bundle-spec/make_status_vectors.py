#!/usr/bin/env python3
"""Make the vectors of what comes back from a site: a second writer of status packages, small and slow, that can also make every
mistake on purpose.

    make_status_vectors.py DIR          write every vector below DIR
    make_status_vectors.py --check DIR  compare with what stands there

status_vector_list.py says what there is. All keys follow from public words and are no secrets; the status key's secret is 32 bytes 07.
"""

import base64
import copy
import hashlib
import json
import pathlib
import sys

import verify
import verify_package
import verify_status
import verify_summary
from check import covers
from make_vectors import Key, canonical, digest, key, padded, text_of, zstd
from verify_package import TYPE, TYPES

SITE, OTHER_SITE = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
DOMAIN, OTHER_DOMAIN = "cd" * 32, "dc" * 32
INSTANCE, SECOND, THIRD = "11112222333344445555666677778888", "9999aaaabbbbccccddddeeeeffff0000", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
RELEASE, OLDER, NEWER = "ef" * 32, "0e" * 32, "fe" * 32
PRODUCT, CHANNEL = "acme-web", "stable"
TARGET = verify.derived("target", DOMAIN, PRODUCT, CHANNEL, "plant-7")
DEPLOYMENT = verify.derived("deployment", TARGET, "web")
REVISION = "3ef70000-0000-4000-8000-0000000071a3"

STATUS, REPLACED = Key("status", bytes([7] * 32)), Key("replaced status")


# --- Signed files -------------------------------------------------------------------------------------------------

def sealed(document, signer, purpose):
    """An envelope by one key."""
    payload = document if isinstance(document, bytes) else canonical(document)
    return {"payload": base64.b64encode(payload).decode(), "payloadType": TYPE[purpose], "signatures": [signer.signature(TYPE[purpose], payload)]}


def enrolment(signer=STATUS, site=SITE, domains=(DOMAIN,), at="2026-11-21T09:00:00Z"):
    return canonical(sealed({
        "created_at": at, "domains": list(domains), "recipient": {"public": "12" * 32, "scheme": "x25519"}, "site": site,
        "status": {"id": signer.id, "public": signer.public.hex(), "scheme": "ed25519"}}, signer, "enrolment"))


def receipt(number, row, result="imported", at="2026-11-21T09:58:00Z", signer=STATUS, **more):
    """What a receipt says; `row` is the number of its audit row, whose seal takes the place when the package is made."""
    return {"row": row, "signer": signer, "purpose": "import-receipt", "payload": {
        "at": at, "channel": CHANNEL, "domain": DOMAIN, "epoch": 0, "head": RELEASE, "instance": INSTANCE, "number": number,
        "product": PRODUCT, "result": result, "root_version": 1, "sequence": 7, "site": SITE, "version": "1.0", **more}}


# --- Packages -----------------------------------------------------------------------------------------------------

def rows_of_life(instance=INSTANCE, signer=STATUS):
    """The first rows of a stream: init, import, activation."""
    return [("init", "2026-11-21T09:00:00Z", {"instance": instance, "root_version": 1, "status_key": signer.id}),
            ("import", "2026-11-21T09:58:00Z", {"channel": CHANNEL, "epoch": 0, "head": RELEASE, "product": PRODUCT, "receipt": 1, "sequence": 7}),
            ("activate", "2026-11-21T10:00:00Z", {"head": RELEASE, "receipt": 2})]


def release_line(**more):
    return {"blobs": 6, "channel": CHANNEL, "content": "ab" * 32, "epoch": 0, "head": RELEASE, "imported_at": "2026-11-21T09:58:00Z",
            "kind": "release", "product": PRODUCT, "root_version": 1, "sequence": 7, "since": "2026-11-21T10:00:00Z", "state": "active", **more}


def target_line(**more):
    return {"kind": "target", "seen": "2026-11-21T11:58:55Z", "since": "2026-11-21T10:00:00Z", "target": TARGET, **more}


def deployment_line(**more):
    return without_none({"count": 1411, "deployment": DEPLOYMENT, "entered": 1, "first": "2026-11-21T10:01:20Z", "kind": "deployment",
                         "last": "2026-11-21T11:58:55Z", "number": 2, "revision": REVISION, "runs": REVISION, "signal": "applied",
                         "state": "running", "target": TARGET, "wanted": REVISION, **more})


def status_line(number, kind="transition", at="2026-11-21T10:01:20Z", state="running", signal="applied", **more):
    return without_none({"at": at, "deployment": DEPLOYMENT, "kind": kind, "number": number, "revision": REVISION, "signal": signal,
                         "state": state, "target": TARGET, **more})


def without_none(line):
    return {name: value for name, value in line.items() if value is not None}


def withheld(**counts):
    return {name: counts.get(name.replace("-", "_"), 0) for name in verify_package.WITHHELD}


class Recipe:
    """How a package is made; every hook may spoil what it is given. As it stands: the least package of a site with one release."""

    def __init__(self, **head):
        self.signer, self.rounded, self.rule = STATUS, False, 0
        self.before, self.rows, self.receipts = None, rows_of_life(), [receipt(1, 2), receipt(2, 3, "activated", "2026-11-21T10:00:00Z")]
        self.lines = {
            "releases": [release_line()], "targets": [target_line(), deployment_line()], "metrics": [],
            "records": [status_line(1, at="2026-11-21T10:00:35Z", state="progressing", signal="preparing"),
                        status_line(2, count=1411, last="2026-11-21T11:58:55Z")]}
        self.firsts = {"records": 1, "receipts": 1, "audit": 1}
        self.last, self.withheld, self.missing, self.unexplained = 240, withheld(metrics=236, status=2), 0, 0
        self.head = {
            "builder": {"name": "airlock", "version": "0.2.0"}, "chunk_bytes": verify_package.CHUNK_BYTES, "domain": DOMAIN,
            "instance": INSTANCE, "lineage": [{"audit": 1, "instance": INSTANCE, "receipts": 1, "records": 1}],
            "made_at": "2026-11-21T12:00:00Z", "number": 1, "reader": "0.2.0", "requires": [], "shows": [], "site": SITE,
            "statement": "2026-11-21T08:00:00Z", **head}
        self.hooks = {}

    def on(self, stage, change):
        """Stages: rows, envelopes, lines, pages, chunk, index, head, head_bytes, signatures, trust, first, approvals, entries, archive."""
        self.hooks[stage] = change
        return self

    def hook(self, stage, value):
        changed = self.hooks[stage](value) if stage in self.hooks else None
        return value if changed is None else changed

    def seals(self):
        """Seal before the first row, and the canonical rows with their seals, by number."""
        seal = self.before or verify_package.stream_start(self.head["site"], self.head["domain"])
        made, first = {}, self.firsts["audit"]
        start = seal
        for number, (action, at, detail) in enumerate(self.rows, start=first):
            raw = canonical({"action": action, "at": at, "detail": detail, "number": number})
            seal = verify_package.stream_seal(seal, raw)
            made[number] = (raw, seal)
        return start, made

    def parts(self, sealed_rows):
        envelopes = []
        for one in self.receipts:
            payload = dict(one["payload"])
            payload.setdefault("audit", one["seal"] if "seal" in one else sealed_rows[one["row"]][1])
            envelopes.append(sealed(payload, one["signer"], one["purpose"]))
        lines = {**self.lines, "receipts": self.hook("envelopes", envelopes),
                 "audit": self.hook("rows", [raw for raw, _ in sealed_rows.values()])}
        lines = self.hook("lines", lines)
        pages = [(kind, page) for kind in TYPES for page in pages_of(lines[kind])]
        return self.hook("pages", pages)

    def build(self):
        head = copy.deepcopy(self.head)
        before, rows = self.seals()
        parts = self.parts(rows)
        chunks = []
        for number, plain in enumerate(chunks_of([page for _, page in parts])):
            frame = zstd(plain, 9)
            made = ("none", plain) if frame is None else ("zstd", frame)
            chunks.append((plain, self.hooks["chunk"](number, plain, made) if "chunk" in self.hooks else made))
        lines = [{"digest": digest(page), "kind": "blob", "size": len(page)} for _, page in parts]
        lines += [{"codec": codec, "kind": "chunk", "sha256": digest(data)[7:], "size": len(data)} for _, (codec, data) in chunks]
        index = self.hook("index", b"".join(canonical(line) + b"\n" for line in lines))
        first = self.firsts
        shown = sum(page.count(b"\n") for kind, page in parts if kind == "records")
        head.update({
            "audit": {"before": before, "first": first["audit"], "hash": list(rows.values())[-1][1] if rows else before,
                      "last": first["audit"] + len(rows) - 1},
            "index": [{"sha256": digest(index)[7:], "size": len(index)}] if index else [],
            "parts": [{"digest": digest(page), "lines": page.count(b"\n"), "size": len(page), "type": kind} for kind, page in parts],
            "payload_offset": 0, "receipts": {"first": first["receipts"], "last": first["receipts"] + len(self.receipts) - 1},
            "records": {"first": first["records"], "last": self.last, "missing": self.missing, "shown": shown,
                        "unexplained": self.unexplained, "withheld": self.withheld},
            "totals": {"blobs": len(parts), "chunks": len(chunks), "content_bytes": sum(len(page) for _, page in parts),
                       "early_blobs": len(parts), "needs": 0, "stored_bytes": sum(len(data) for _, (_, data) in chunks)},
            "volumes": [len(chunks)]})
        trust = self.hook("trust", canonical({"domain": head["domain"], "enrolments": [], "site": head["site"]}))
        opening = self.hook("first", f"airlock-status 1\nvolume 1/1 chunks {min(1, len(chunks))}-{len(chunks)}\n".encode())
        pages = [index] if index else []
        widest = {**head, "payload_offset": verify.INTEGER_MAX}
        sizes = [len(opening), 512, len(trust), len(canonical(widest)), 16 + 174 * self.rule, *map(len, pages), 0]
        behind = sum(padded(len(data)) for _, (_, data) in chunks) + 1024
        total = sum(map(padded, sizes)) + behind
        if self.rounded:
            total = round_up(total)
        head["payload_offset"] = total - behind
        head = self.hook("head", head)
        head_bytes = self.hook("head_bytes", head if isinstance(head, bytes) else canonical(head))
        self.digest = digest(head_bytes)[7:]
        signatures = self.hook("signatures", [self.signer.signature(TYPE["status-head"], head_bytes)])
        signatures = signatures if isinstance(signatures, bytes) else canonical({"signatures": signatures})
        approvals = self.hook("approvals", self.approvals())
        approvals = approvals if isinstance(approvals, bytes) else canonical({"approvals": approvals})
        entries = [("00-format", opening), ("01-signatures.json", signatures), ("02-trust.json", trust), ("03-head.json", head_bytes),
                   ("04-approvals.json", approvals)]
        entries += [(f"05-index/{number:04}", page) for number, page in enumerate(pages, start=1)]
        fill = total - behind - sum(padded(len(data)) for _, data in entries) - 512
        entries.append(("06-fill", bytes(max(fill, 0))))
        entries += [(f"chunks/{number:010}", data) for number, (_, (_, data)) in enumerate(chunks, start=1)]
        entries = [[verify.tar_header(name, len(data)), data, bytes(-len(data) % 512)] for name, data in entries]
        entries = self.hook("entries", entries)
        return self.hook("archive", b"".join(b"".join(entry) for entry in entries) + bytes(1024))

    def approvals(self):
        """By as many site keys as the rule asks for."""
        payload = canonical({"head": self.digest, "site": self.head["site"]})
        made = [key(f"site {number}").signature(TYPE["export-approval"], payload) for number in range(1, self.rule + 1)]
        return sorted(made, key=lambda one: one["keyid"])


def pages_of(lines):
    pages = []
    for line in lines:
        raw = (line if isinstance(line, bytes) else canonical(line)) + b"\n"
        if pages and len(pages[-1]) + len(raw) <= verify_package.PART_BYTES:
            pages[-1] += raw
        else:
            pages.append(raw)
    return pages


def chunks_of(pages):
    data, at = b"".join(pages), 0
    for size in verify.cut([len(page) for page in pages], len(pages), verify_package.CHUNK_BYTES):
        yield data[at:at + size]
        at += size


def round_up(total):
    """So that the size tells little."""
    unit = 16 << 10 if total <= 256 << 10 else min(1 << total.bit_length() - 5, 8 << 20)
    return total + -total % unit


# --- Summaries ----------------------------------------------------------------------------------------------------

def leb128(number):
    out = bytearray()
    while True:
        out.append(number & 0x7f | (0x80 if number > 0x7f else 0))
        number >>= 7
        if not number:
            return bytes(out)


def age(minutes):
    v = minutes + 8
    k = v.bit_length() - 4
    return min(255, 8 * k + (v >> k & 7))


def signed_summary(plain, signer=STATUS, site=SITE, domain=DOMAIN):
    payload = bytes.fromhex(domain) + bytes.fromhex(site) + plain
    return plain + signer.sign(verify.pre_authentication(verify_summary.SUMMARY, payload))


def base45(data):
    out = ""
    for at in range(0, len(data), 2):
        group = data[at:at + 2]
        number = int.from_bytes(group, "big")
        for _ in range(len(group) + 1):
            out += verify_summary.BASE45[number % 45]
            number //= 45
    return out


def series_of(data):
    """The texts of the QR codes, one a line."""
    number = -(-len(data) // verify_summary.PIECE_BYTES)
    size = -(-len(data) // number)
    name = hashlib.sha256(data).hexdigest()[:4].upper()
    return [f"AIRLOCK1/{name}/{piece + 1}/{number}:{base45(data[piece * size:(piece + 1) * size])}" for piece in range(number)]


def spoken_of(data):
    letters, lines = base64.b32encode(data).decode().rstrip("="), []
    for number, at in enumerate(range(0, len(letters), 30), start=1):
        line = letters[at:at + 30]
        groups = " ".join(line[place:place + 5] for place in range(0, len(line), 5))
        lines.append(f"{number:02} {groups} {verify_summary.check_letters(f'{number:02}', line)}")
    return lines


# --- The vectors --------------------------------------------------------------------------------------------------

class Vectors:
    """Collects files by path."""

    def __init__(self):
        self.files, self.judged = {}, []

    def shared(self, folder, data):
        name = f"{folder}/{digest(data)[7:19]}.json"
        self.files[name] = data
        return "../../" + name

    def add(self, folder, files, says, expect, enrolments=None, trust=(), **more):
        """`files`: (name, bytes), or the path of one that stands in another vector."""
        names = []
        for file in files:
            if isinstance(file, str):
                names.append("../../" + file)
            else:
                name, data = file
                self.files[f"{folder}/{name}"] = data
                names.append(name)
        vector = {"says": says, "files": names, "enrolments": [self.shared("enrolments", one) for one in enrolments or [enrolment()]],
                  "trust": [self.shared("trust", one) for one in trust], "expect": expect, "covers": covers(folder, "status/"), **more}
        self.files[f"{folder}/vector.json"] = text_of(vector)

    def good(self, name, files, says, verdict="good", **more):
        self.add(f"good/{name}", named(files), says, {"verdict": verdict}, **more)

    def bad(self, name, files, says, kind, code, step=None, twin=None, **more):
        expect = {"verdict": "refused", "class": kind, "code": code, **({"step": step} if step else {})}
        self.add(f"bad/{name}", [packed(one) for one in named(files)], says, expect, twin=twin or "unrounded", **more)

    def tell(self):
        """What the good ones hold, as this reader finds it: for other readers to compare with."""
        for path in [path for path in self.files if path.startswith("good/") and path.endswith("/vector.json")]:
            vector, folder = json.loads(self.files[path]), path.rsplit("/", 1)[0]
            judge = verify_status.Judge.__new__(verify_status.Judge)
            judge.sites = verify_package.Sites([self.at(folder, one) for one in vector["enrolments"]])
            judge.chains = [verify.Chain(self.at(folder, one)) for one in vector["trust"]]
            judge.known, judge.packages = verify_package.Known(), []
            found = None
            for name in vector["files"]:
                found = judge.stream(Peekable(self.at(folder, name)))
                if found["verdict"] == "refused":
                    sys.exit(f"{path}: {found}")
            if found["kind"] == "package":
                vector["found"] = {"head": found["head"], "lines": found["lines"], "findings": sorted({one["code"] for one in found["findings"]})}
            self.files[path] = text_of(vector)

    def at(self, folder, name):
        parts = folder.split("/")
        while name.startswith("../"):
            name = name[3:]
            parts.pop()
        return self.files["/".join([*parts, name])]


class Peekable:
    """Bytes as the stream that a reader of files gets."""

    def __init__(self, data):
        import io
        self.inner = io.BufferedReader(io.BytesIO(data))

    def __getattr__(self, name):
        return getattr(self.inner, name)


def packed(file):
    """Bad packages are stored compressed: a tar is full of zeros."""
    if isinstance(file, str) or not file[0].endswith(".airlock-status"):
        return file
    frame = zstd(file[1], 19)
    return file if frame is None else (file[0] + ".zst", frame)


def named(files):
    """One recipe or several; bytes with their name, or paths as they are."""
    files = files if isinstance(files, list) else [files]
    out = []
    for number, one in enumerate(files, start=1):
        if isinstance(one, Recipe):
            out.append((f"{number}.airlock-status", one.build()))
        elif isinstance(one, bytes):
            out.append((f"{number}.airlock-status", one))
        else:
            out.append(one)
    return out


def main():
    from status_vector_list import fill
    check = sys.argv[1:2] == ["--check"]
    folder = pathlib.Path(sys.argv[2 if check else 1])
    vectors = Vectors()
    fill(vectors)
    vectors.tell()
    for name, data in sorted(vectors.files.items()):
        path = folder / name
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        elif not path.is_file() or path.read_bytes() != data:
            sys.exit(f"{path} is not what this program makes")
    present = {str(path.relative_to(folder)) for path in folder.glob("**/*") if path.is_file()}
    if present != set(vectors.files):
        sys.exit(f"files that no vector needs: {sorted(present - set(vectors.files))}")
    print(f"{len(vectors.files)} files, {sum(map(len, vectors.files.values()))} bytes")


if __name__ == "__main__":
    # The list imports this file; started as a program it would exist twice.
    from make_status_vectors import main
    main()
