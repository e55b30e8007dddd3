#!/usr/bin/env python3
"""Make the vectors: a second writer of the format, small and slow, that can also make every mistake on purpose.

    make_vectors.py DIR          write every vector below DIR
    make_vectors.py --check DIR  compare with what stands there

The good vectors are also written by the product, from the description in their vector.json, and must come out byte for
byte the same. All keys follow from public words and are no secrets.
"""

import base64
import copy
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import verify
from check import covers

ISSUED, EXPIRES, AT = "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026-06-01T00:00:00Z"
SITE, OTHER_SITE = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
OCI = "application/vnd.oci.image."
MANIFEST, INDEX = OCI + "manifest.v1+json", OCI + "index.v1+json"
CONFIG, LAYER = OCI + "config.v1+json", OCI + "layer.v1.tar+gzip"
DOCKER = "application/vnd.docker.distribution.manifest."
REPOSITORY = "registry.example.com/acme/web"


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


# --- Keys and roots -----------------------------------------------------------------------------------------------

class Key:
    """An Ed25519 key whose secret is the hash of public words, or given."""

    def __init__(self, name, seed=None):
        self.name = name
        self.seed = seed or hashlib.sha256(f"NOT-A-SECRET airlock vector key {name}".encode()).digest()
        expanded = hashlib.sha512(self.seed).digest()
        scalar = int.from_bytes(expanded[:32], "little")
        self.scalar = scalar & (2**254 - 8) | 2**254
        self.prefix = expanded[32:]
        self.public = encode_point(verify.multiply(self.scalar, verify.BASE))
        self.id = verify.key_id(self.public)

    def sign(self, message):
        r = int.from_bytes(hashlib.sha512(self.prefix + message).digest(), "little") % verify.L
        point = encode_point(verify.multiply(r, verify.BASE))
        k = int.from_bytes(hashlib.sha512(point + self.public + message).digest(), "little")
        return point + ((r + k * self.scalar) % verify.L).to_bytes(32, "little")

    def signature(self, payload_type, payload):
        made = self.sign(verify.pre_authentication(payload_type, payload))
        return {"keyid": self.id, "sig": base64.b64encode(made).decode()}


def encode_point(point):
    x, y, z, _ = point
    inverse = pow(z, verify.P - 2, verify.P)
    x, y = x * inverse % verify.P, y * inverse % verify.P
    return (y | (x & 1) << 255).to_bytes(32, "little")


KEYS = {}


def key(name):
    return KEYS.setdefault(name, Key(name))


def rule(names, threshold=1):
    return {"keys": sorted(key(name).id for name in names), "scheme": "ed25519", "threshold": threshold}


def root(version=1, expires="2030-01-01T00:00:00Z", **roles):
    """A root document; roles by name as rules, defaults for the rest."""
    rules = {role: [rule([role])] for role in verify.ROLES}
    rules.update(roles)
    ids = {keyid for of_role in rules.values() for one in of_role for keyid in one["keys"]}
    keys = [{"id": one.id, "public": one.public.hex(), "scheme": "ed25519"} for one in KEYS.values() if one.id in ids]
    return {"expires": expires, "issued_at": ISSUED, "keys": sorted(keys, key=lambda entry: entry["id"]),
            "products": ["acme-web"], "reader": "0.1.0", "roles": rules, "vendor": "Acme", "version": version}


def envelope(document, signers, payload_type=verify.TRUST_ROOT):
    payload = document if isinstance(document, bytes) else canonical(document)
    signatures = sorted((key(name).signature(payload_type, payload) for name in signers), key=lambda entry: entry["keyid"])
    return {"payload": base64.b64encode(payload).decode(), "payloadType": payload_type, "signatures": signatures}


def chain_file(*envelopes):
    return canonical({"roots": list(envelopes)})


def curve_cases():
    """Keys and signatures at the edges of Ed25519, from the curve's equations (in the spirit of the Wycheproof sets)."""
    torsion = next(point for point in (verify.multiply(verify.L, decoded) for decoded in map(
        verify.decode_point, (number.to_bytes(32, "little") for number in range(2, 99))) if decoded)
        if not verify.equal(verify.multiply(4, point), verify.IDENTITY))
    signer, message, cases = key("curve"), b"the message", []

    def raw(point):
        return encode_point(point)

    def case(says, public, signature, valid, text=message):
        cases.append({"says": says, "public": public.hex(), "message": text.hex(), "signature": signature.hex(),
                      "key": verify.strict_point(public) is not None, "valid": valid})

    def made(public, point, secret, text=message):
        """R, S with S = r + k·a for a chosen R: holds when R is r·B and the public key a·B, up to torsion."""
        r = int.from_bytes(hashlib.sha512(b"NOT-A-SECRET nonce" + text).digest(), "little") % verify.L
        first = raw(verify.add(verify.multiply(r, verify.BASE), point))
        k = int.from_bytes(hashlib.sha512(first + public + text).digest(), "little") % verify.L
        return k, first + ((r + k * secret) % verify.L).to_bytes(32, "little")

    good = signer.sign(message)
    case("a good signature", signer.public, good, True)
    case("another message", signer.public, good, False, b"the massage")
    case("S + L", signer.public, good[:32] + (int.from_bytes(good[32:], "little") + verify.L).to_bytes(32, "little"), False)
    case("S is L", signer.public, good[:32] + verify.L.to_bytes(32, "little"), False)
    case("all bytes 255", signer.public, b"\xff" * 64, False)
    for number in range(8):
        small = raw(verify.multiply(number, torsion))
        case(f"small-order key {number}", small, bytes([1]) + bytes(63), False)
        k = int.from_bytes(hashlib.sha512(small + signer.public + message).digest(), "little") % verify.L
        case(f"small-order R {number}", signer.public, small + (k * signer.scalar % verify.L).to_bytes(32, "little"), False)
        y = int.from_bytes(small, "little") & (2**255 - 1)
        if y < 19:
            odd = (y + verify.P | int.from_bytes(small, "little") & 1 << 255).to_bytes(32, "little")
            case(f"small-order key {number}, encoded with y + p", odd, bytes([1]) + bytes(63), False)
            k = int.from_bytes(hashlib.sha512(odd + signer.public + message).digest(), "little") % verify.L
            case(f"small-order R {number}, encoded with y + p", signer.public,
                 odd + (k * signer.scalar % verify.L).to_bytes(32, "little"), False)
    case("the identity with the sign bit set, as key", bytes([1]) + bytes(30) + b"\x80", bytes([1]) + bytes(63), False)
    for y in range(2, 19):
        if verify.decode_point(y.to_bytes(32, "little")):
            case(f"a key of large order, encoded with y + p, y = {y}", (y + verify.P).to_bytes(32, "little"), good, False)
    case("a key that is no point", bytes([2]) + bytes(31), good, False)
    mixed = raw(verify.add(verify.multiply(signer.scalar, verify.BASE), torsion))
    for number in range(64):
        text = b"message %d" % number
        k, signature = made(mixed, verify.IDENTITY, signer.scalar, text)
        if k % 8 in (0, 1) and sum(one["says"].startswith(f"mixed-order key, k mod 8 is {k % 8}") for one in cases) == 0:
            case(f"mixed-order key, k mod 8 is {k % 8}: " + ("the equation holds" if k % 8 == 0 else "only with the cofactor"),
                 mixed, signature, k % 8 == 0, text)
    case("mixed-order R: only with the cofactor", signer.public, made(signer.public, torsion, signer.scalar)[1], False)
    return cases


# --- Content ------------------------------------------------------------------------------------------------------

def noise(label, size):
    """Bytes that do not compress."""
    out = b""
    while len(out) < size:
        out += hashlib.sha256(f"{label} {len(out)}".encode()).digest()
    return out[:size]


def descriptor(data, media_type, **more):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


class Content:
    """Blobs by digest, names, and what is left out: what a builder collects before it packs."""

    def __init__(self):
        self.blobs, self.tags, self.absent, self.needs, self.documents, self.types = {}, [], {}, {}, [], {}
        self.travel = {}  # of blobs that travel in another form: those bytes
        self.encodings = {}  # of those of another form than `plain`: the member
        self.plains = {}  # of needed gzip files that others are copied from: bytes of what is compressed in them

    def blob(self, data):
        self.blobs[digest(data)] = data
        return data

    def manifest(self, layers=(b"layer",), config=b"{}", media_type=MANIFEST, layer_type=LAYER, stated=True, **more):
        self.blob(config)
        for layer in layers:
            self.blob(layer)
        document = {"schemaVersion": 2, "config": descriptor(config, CONFIG),
                    "layers": [descriptor(layer, layer_type) for layer in layers], **more}
        return self.document(document, media_type, stated)

    def document(self, document, media_type, stated=True):
        if stated and isinstance(document, dict) and "mediaType" not in document:
            document = {"mediaType": media_type, **document}
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.types[digest(data)] = media_type
        return self.blob(data)

    def tag(self, data, tag, repository=REPOSITORY, media_type=None):
        line = {"kind": "tag", "repository": repository, "digest": digest(data), "size": len(data),
                "media_type": media_type or self.types.get(digest(data), MANIFEST)}
        self.tags.append({**line, **({"tag": tag} if tag is not None else {})})
        return data


def simple(layers=None):
    content = Content()
    content.tag(content.manifest(layers or (noise("layer", 700),)), "1.0")
    return content


def references(document, member):
    """The digests that a member of a document refers to by descriptors in good form."""
    value = document.get(member)
    items = value if isinstance(value, list) else [value]
    return [item["digest"] for item in items if isinstance(item, dict) and isinstance(item.get("digest"), str)]


def order_blobs(content):
    """Payload order: documents, each name's graph depth first; then layers the same way."""
    early, late, done = [], [], set()

    def place(target, name):
        if name not in done:
            done.add(name)
            target.append(name)

    for entry in content.documents:
        place(early, digest(entry[1]))
    for layers in (False, True):
        seen = set()

        def walk(name):
            if name in seen or name not in content.blobs or name in content.needs:
                return
            seen.add(name)
            try:
                document = json.loads(content.blobs[name])
            except ValueError:
                document = {}
            document = document if isinstance(document, dict) else {}
            if not layers:
                place(early, name)
                for config in references(document, "config"):
                    if config in content.blobs:
                        place(early, config)
            else:
                for layer in references(document, "layers"):
                    if layer in content.blobs and layer not in content.needs:
                        place(late, layer)
            for child in references(document, "manifests"):
                walk(child)

        for line in sorted(content.tags, key=verify.ORDER["tag"]):
            walk(line["digest"])
    return early, late


# --- Packing ------------------------------------------------------------------------------------------------------

def zstd(plain, level=3):
    """One frame, made by the command; None when it is not smaller."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(plain)
        file.flush()
        frame = subprocess.run(["zstd", f"-{level}", "--no-check", "-cq", file.name], stdout=subprocess.PIPE, check=True).stdout
    return frame if len(frame) < len(plain) else None


def plain_chunks(blobs, early, chunk_bytes):
    data = b"".join(blobs)
    at = 0
    for size in verify.cut([len(blob) for blob in blobs], early, chunk_bytes):
        yield data[at:at + size]
        at += size


def pages_of(lines):
    pages = []
    for line in lines:
        raw = (line if isinstance(line, bytes) else canonical(line)) + b"\n"
        if pages and len(pages[-1]) + len(raw) <= verify.MIB:
            pages[-1] += raw
        else:
            pages.append(raw)
    return pages


def padded(size):
    return 512 + size + -size % 512


def payload_offset(head, lines, trust, signatures):
    """The product's upper bound of what stands before the payload, with reserve 0."""
    widest = [{**line, "codec": "none", "sha256": "0" * 64, "size": line["plain"]} if line["kind"] == "chunk" else line
              for line in lines]
    widest = [{name: value for name, value in line.items() if name != "plain"} for line in widest]
    pages = pages_of(widest)
    largest = copy.deepcopy(head)
    largest["payload_offset"] = largest["totals"]["stored_bytes"] = verify.INTEGER_MAX
    largest["index"] = [{"sha256": "0" * 64, "size": max(len(page), verify.MIB // 2)} for page in pages]
    chunks = head["totals"]["chunks"]
    first = f"airlock-bundle 1\nvolume 1/1 chunks {min(1, chunks)}-{chunks}\n"
    room = len(canonical({"signatures": [{"keyid": "0" * 64, "sig": base64.b64encode(bytes(64)).decode()}] * signatures}))
    entries = [len(first), room + -room % 512, len(trust), len(canonical(largest)), len(b'{"approvals":[]}'), 0]
    total = sum(padded(size) for size in entries) + sum(map(len, pages)) + len(pages) * 1024
    return total + -total % 4096


class Recipe:
    """How a bundle is made; every hook may spoil what it is given."""

    def __init__(self, content=None, **head):
        self.content = content or simple()
        self.head = {
            "audience": "any", "builder": {"name": "airlock", "version": "0.2.0"}, "channel": "stable", "chunk_bytes": verify.MIB,
            "epoch": 0, "expires": EXPIRES, "home_hosts": ["registry.example.com"], "issued_at": ISSUED,
            "minimum_appliance": "0.1.0", "product": "acme-web", "reader": "0.1.0", "requires": [], "root_version": 1,
            "sequence": 7, "version": "1.0", **head}
        self.root = root()
        self.links = []
        self.first = envelope(self.root, ["root"])
        self.signers = ["release"]
        self.threshold = 1
        self.cut = None
        self.hooks = {}

    def in_volumes(self, *counts):
        """Several volumes, which hold so many chunks; build() returns the first, volumes() all."""
        self.cut = list(counts)
        self.head.update(reader="0.2.0", requires=["volumes-1"])
        return self

    def with_root(self, document):
        self.root, self.first = document, envelope(document, ["root"])
        return self

    def on(self, stage, change):
        """Stages: lines, chunk, stored, head, head_bytes, signatures, trust, approvals, first, entries, archive."""
        self.hooks[stage] = change
        return self

    def hook(self, stage, value):
        changed = self.hooks[stage](value) if stage in self.hooks else None
        return value if changed is None else changed

    def line(self, name):
        content = self.content
        line = {"kind": "blob", "digest": name, "size": len(content.blobs[name])}
        if name in content.types:
            line["media_type"] = content.types[name]
        if name in content.travel:
            line.update(encoding=content.encodings.get(name, {"form": "plain"}), travel_size=len(content.travel[name]))
        return line

    def build(self):
        content = self.content
        early, late = self.hook("order", order_blobs(content))
        names = early + late
        blobs = [content.travel.get(name, content.blobs[name]) for name in names]
        plain = list(plain_chunks(blobs, len(early), self.head["chunk_bytes"]))
        lines_of_blobs = [self.line(name) for name in names]
        uncompressed = verify.pieces(lines_of_blobs, len(early), self.head["chunk_bytes"])
        stored = []
        for number, chunk in enumerate(plain):
            frame = None if number in uncompressed else zstd(chunk)
            made = ("none", chunk) if frame is None else ("zstd", frame)
            stored.append(self.hooks["chunk"](number, chunk, made) if "chunk" in self.hooks else made)
        lines = sorted(content.tags, key=verify.ORDER["tag"])
        lines += [{"kind": "absent", "digest": name, "platform": content.absent[name]} for name in sorted(content.absent)]
        lines += [{"kind": "need", "digest": name, "size": content.needs[name],
                   **({"plain_size": content.plains[name]} if name in content.plains else {})} for name in sorted(content.needs)]
        lines += lines_of_blobs
        lines += [{"kind": "chunk", "codec": codec, "sha256": digest(data)[7:], "size": len(data), "plain": len(chunk)}
                  for (codec, data), chunk in zip(stored, plain)]
        head = {**copy.deepcopy(self.head), "domain": digest(base64.b64decode(self.first["payload"]))[7:]}
        head["documents"] = [{"digest": digest(data), "size": len(data), "type": kind} for kind, data in content.documents]
        head["totals"] = {"blobs": len(blobs), "chunks": len(stored), "content_bytes": sum(line["size"] for line in lines_of_blobs),
                          "early_blobs": len(early), "needs": len(content.needs), "stored_bytes": 0}
        head.update(payload_offset=0, volumes=self.cut or [len(stored)], index=[])
        trust = self.hook("trust", canonical({"domain": head["domain"], "roots": self.links}))
        offset = payload_offset(head, lines, trust, self.threshold)
        lines = [{name: value for name, value in line.items() if name != "plain"} for line in lines]
        lines = self.hook("lines", lines)
        pages = self.hook("pages", pages_of(lines))
        head["payload_offset"] = offset
        head["totals"]["stored_bytes"] = sum(line["size"] for line in lines
                                             if isinstance(line, dict) and line["kind"] == "chunk")
        head["index"] = [{"sha256": digest(page)[7:], "size": len(page)} for page in pages]
        head = self.hook("head", head)
        head_bytes = self.hook("head_bytes", head if isinstance(head, bytes) else canonical(head))
        signatures = sorted((key(name).signature(verify.BUNDLE_HEAD, head_bytes) for name in self.signers),
                            key=lambda entry: entry["keyid"])
        self.head_digest = digest(head_bytes)[7:]
        signatures = self.hook("signatures", signatures)
        signatures = signatures if isinstance(signatures, bytes) else canonical({"signatures": signatures})
        approvals = self.hook("approvals", b'{"approvals":[]}')
        self.parts = (signatures, trust, head_bytes, approvals), pages, offset, stored
        cut, made = self.cut or [len(stored)], []
        for volume, count in enumerate(cut, start=1):
            before = sum(cut[:volume - 1])
            chunks = range(before + 1, before + count + 1)
            first = f"airlock-bundle 1\nvolume {volume}/{len(cut)} chunks {before + min(1, count)}-{before + count}\n".encode()
            made.append(self.archive(self.hook("first", first), (signatures, trust, head_bytes, approvals), pages, offset,
                                     [(number, stored[number - 1][1]) for number in chunks]))
        self.made = made
        return made[0]

    def volumes(self):
        self.build()
        return self.made

    def repair(self, said, *numbers):
        """A repair file with chunks of these numbers, whose entry 00 names them in these words."""
        self.build()
        (signatures, trust, head_bytes, approvals), pages, offset, stored = self.parts
        return self.archive(f"airlock-bundle 1\nrepair chunks {said}\n".encode(), (signatures, trust, head_bytes, approvals), pages, offset,
                            [(number, stored[number - 1][1]) for number in numbers])

    def archive(self, first, others, pages, offset, chunks):
        signatures, trust, head_bytes, approvals = others
        entries = [("00-format", first), ("01-signatures.json", signatures), ("02-trust.json", trust),
                   ("03-head.json", head_bytes), ("04-approvals.json", approvals)]
        entries += [(f"05-index/{number:04}", page) for number, page in enumerate(pages, start=1)]
        fill = offset - sum(padded(len(data)) for _, data in entries) - 512
        entries.append(("06-fill", bytes(max(fill, 0))))
        entries += [(f"chunks/{number:010}", data) for number, data in chunks]
        entries = [[verify.tar_header(name, len(data)), data, bytes(-len(data) % 512)] for name, data in entries]
        entries = self.hook("entries", entries)
        return self.hook("archive", b"".join(b"".join(entry) for entry in entries) + bytes(1024))


# --- The vectors --------------------------------------------------------------------------------------------------

class Vectors:
    """Collects files by path."""

    def __init__(self):
        self.files = {}

    def add(self, folder, recipe, says, expect, site=None, mark=None, at=AT, pins=None, unproven=0, base=None, others=()):
        bundle = recipe if isinstance(recipe, bytes) else recipe.build()
        pins = pins or [chain_file(recipe.first if isinstance(recipe, Recipe) else envelope(root(), ["root"]))]
        names = []
        for pin in pins:
            name = f"trust/{digest(pin)[7:19]}.json"
            self.files[name] = pin
            names.append("../../" + name)
        vector = {"says": says, "bundle": "bundle.airlock", "trust": names, "expect": expect, "covers": covers(folder)}
        for name, value in (("site", site), ("mark", mark), ("at", at)):
            if value is not None:
                vector[name] = value
        if unproven:  # gzip layers that verify.py does not make again: it accepts what only that would show
            vector["unproven"] = unproven
        if base is not None:
            vector["base"] = "base.airlock"
            self.files[f"{folder}/base.airlock"] = base
        if others:
            vector["volumes"] = [f"volume-{number}.airlock" for number, _ in enumerate(others, start=2)]
            self.files.update(zip((f"{folder}/{name}" for name in vector["volumes"]), others))
        self.files[f"{folder}/bundle.airlock"] = bundle
        self.files[f"{folder}/vector.json"] = text_of(vector)

    def good(self, name, recipe, says, verdict="good", make=True, **more):
        """With `make`, the product writes it too."""
        self.add(f"good/{name}", recipe, says, {"verdict": verdict}, **more)
        if make:
            path = f"good/{name}/vector.json"
            self.files[path] = text_of({**json.loads(self.files[path]), "make": describe(recipe)})

    def bad(self, name, recipe, says, kind, code, step, **more):
        expect = {"verdict": "refused", "class": kind, "code": code, **({"step": step} if step else {})}
        self.add(f"bad/{name}", recipe, says, expect, **more)
        path = f"bad/{name}/vector.json"
        self.files[path] = text_of({**json.loads(self.files[path]), "twin": self.twin(recipe)})

    def twin(self, recipe):
        """The good vector that is made the same way without the mistake; one image when none is quite the same."""
        if getattr(recipe, "twin", None):
            return recipe.twin
        if isinstance(recipe, Recipe) and recipe.links:
            return "k12-three-roots"
        if isinstance(recipe, Recipe) and recipe.hooks:
            made = copy.copy(recipe)
            made.hooks = {}
            bundle = made.build()
            for path, data in self.files.items():
                if path.startswith("good/") and data == bundle:
                    return path.split("/")[1]
        return "one-image"


def text_of(vector):
    return (json.dumps(vector, indent=1, sort_keys=True) + "\n").encode()


def describe(recipe):
    """Everything that another writer needs to make the same bytes."""
    content, head = recipe.content, recipe.head
    return {
        "release": {name: head[name] for name in ("product", "channel", "version", "epoch", "sequence", "issued_at", "expires",
                                                  "audience", "home_hosts", "minimum_appliance")},
        "packing": {"chunk_bytes": head["chunk_bytes"], "level": 3, "reserve": 0},
        "chain": json.loads(chain_file(recipe.first, *recipe.links)),
        "signing_seeds": [key(name).seed.hex() for name in recipe.signers],
        "tags": [{name: value for name, value in line.items() if name != "kind"} for line in content.tags],
        "absent": content.absent,
        **({"requires": head["requires"]} if head["requires"] else {}),
        "documents": [{"type": kind, "data": base64.b64encode(data).decode()} for kind, data in content.documents],
        "blobs": [describe_blob(content.blobs[name], content.types.get(name)) for name in sorted(content.blobs)],
    }


def describe_blob(data, media_type):
    if len(set(data)) == 1 and len(data) > 1000:
        made = {"repeat": data[0], "size": len(data)}
    else:
        made = {"data": base64.b64encode(data).decode()}
    return {**made, "media_type": media_type} if media_type else made


def main():
    from vector_list import fill
    check = sys.argv[1:2] == ["--check"]
    folder = pathlib.Path(sys.argv[2 if check else 1])
    vectors = Vectors()
    fill(vectors)
    vectors.files["ed25519.json"] = (json.dumps(curve_cases(), indent=1) + "\n").encode()
    for name, data in sorted(vectors.files.items()):
        path = folder / name
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        elif not path.is_file() or path.read_bytes() != data:
            sys.exit(f"{path} is not what this program makes")
    # What real producers made is written by producer_vectors.py.
    present = {name for path in folder.glob("**/*") if path.is_file()
               and not (name := str(path.relative_to(folder))).startswith("producers/")}
    if present != set(vectors.files):
        sys.exit(f"files that no vector needs: {sorted(present - set(vectors.files))}")
    print(f"{len(vectors.files)} files, {sum(map(len, vectors.files.values()))} bytes")


if __name__ == "__main__":
    # The list imports this file; started as a program it would exist twice.
    from make_vectors import main
    main()
