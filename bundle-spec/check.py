#!/usr/bin/env python3
"""Check that the specification, the vectors, the schemas and the verifier agree; needs Python 3.9 and `zstd`.

    check.py            check everything, print counts
    check.py --walk     print the lines of SPEC.md's hex walk
"""

import base64
import io
import json
import pathlib
import re
import subprocess
import sys
import tarfile

import verify
from run_vectors import run_vectors

HERE = pathlib.Path(__file__).resolve().parent
WALKED = HERE / "vectors/good/one-image/bundle.airlock"


def fail(text):
    sys.exit(f"check.py: {text}")


# --- Requirements and what tests them -----------------------------------------------------------------------------

def coverage():
    """Requirement -> names in section 13 of SPEC.md."""
    rows = {}
    for line in (HERE / "SPEC.md").read_text().splitlines():
        match = re.fullmatch(r"\| (M-[0-9]+) \| (.+) \|", line)
        if match:
            rows[match[1]] = match[2].split(", ")
    return rows


def covers(folder, of=""):
    """The requirements whose rows name a vector, by its folder; what comes back from a site is named `status/…`."""
    group, name = folder.split("/")
    plain = of + (name if group == "bad" else folder)
    return [number for number, names in coverage().items() if any(fits(pattern, plain) for pattern in names)]


def fits(pattern, name):
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def check_requirements():
    text = (HERE / "SPEC.md").read_text()
    stated = re.findall(r"^- \*\*(M-[0-9]+)\*\* ", text, re.MULTILINE)
    if stated != [f"M-{number}" for number in range(1, len(stated) + 1)]:
        fail("requirements are not numbered 1, 2, 3 …")
    rows = coverage()
    if list(rows) != stated:
        fail(f"section 13 has not exactly the stated requirements: {set(rows) ^ set(stated)}")
    vectors = [str(path.parent.relative_to(HERE / "vectors")) for path in sorted((HERE / "vectors").glob("*/*/vector.json"))]
    plain = {name[4:] if name.startswith("bad/") else name for name in vectors}
    sources = "\n".join(path.read_text() for folder in ("src", "tests") for path in (HERE.parent / folder).glob("**/*.rs"))
    for number, names in rows.items():
        for name in names:
            if name.startswith("`"):
                if not re.search(rf"fn {re.escape(name.strip('`'))}\(", sources):
                    fail(f"{number}: there is no test {name}")
            elif name.endswith(".json"):
                if not (HERE / "vectors" / name).is_file():
                    fail(f"{number}: there is no file {name}")
            elif not any(fits(name, vector) for vector in plain):
                fail(f"{number}: there is no vector {name}")
    idle = [name for name in vectors if not covers(name)]
    if idle:
        fail(f"vectors that no requirement names: {idle}")
    print(f"{len(stated)} requirements, each with a test")


# --- The hex walk -------------------------------------------------------------------------------------------------

LINE = re.compile(r"^([0-9a-f]{8})  ((?:[0-9a-f]{2} )+) *\|(.*)\|$", re.MULTILINE)


def hex_lines(data, start, end):
    for at in range(start, end, 16):
        part = data[at:min(at + 16, end)]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield f"{at:08x}  {''.join(f'{byte:02x} ' for byte in part):48} |{shown}|"


def walk():
    """The parts of the walk: what stands there, from, to."""
    data, at, parts = WALKED.read_bytes(), 0, []

    def part(says, start, length):
        parts.append((says, start, start + length))

    for name, _ in verify.PROLOGUE:
        size = int(data[at + 124:at + 135], 8)
        if name == "00-format":
            part("header of 00: the name", at, 16)
            part("… mode, uid, gid, size, mtime, checksum, typeflag", at + 96, 64)
            part("… magic and version", at + 256, 16)
            part("… devmajor, devminor", at + 320, 32)
            part(f"its {size} bytes; zeros up to the next block follow", at + 512, size)
        else:
            part(f"header of {name[:2]}: name and, at +124, size {size}", at, 16)
            part("", at + 112, 32)
            part(f"the first of its {size} bytes", at + 512, min(size, 32))
        at += 512 + size + -size % 512
    size = int(data[at + 124:at + 135], 8)
    part(f"header of the first index page, size {size}", at, 16)
    part("the first line: a tag", at + 512, 48)
    at += 512 + size + -size % 512
    size = int(data[at + 124:at + 135], 8)
    part(f"header of the fill, whose {size} zero bytes end at payload_offset", at, 16)
    at += 512 + size
    part("payload_offset: header of the first chunk", at, 32)
    size = int(data[at + 124:at + 135], 8)
    part(f"its {size} stored bytes: the manifest first", at + 512, 32)
    part("the end: the last bytes of two zero blocks, then end of file", len(data) - 16, 16)
    return data, parts


def check_walk():
    data, found = WALKED.read_bytes(), 0
    for match in LINE.finditer((HERE / "SPEC.md").read_text()):
        at, stated = int(match[1], 16), bytes.fromhex(match[2])
        if data[at:at + len(stated)] != stated:
            fail(f"SPEC.md, section 12: the bytes at {match[1]} are others")
        found += len(stated)
    if found < 300:
        fail("SPEC.md, section 12: the walk is missing")
    print(f"{found} bytes of the hex walk are those of {WALKED.relative_to(HERE)}")


# --- Schemas ------------------------------------------------------------------------------------------------------

def violations(value, schema, root, path="$"):
    """A validator for the subset of JSON Schema 2020-12 that the schemas use; an unknown keyword is an error."""
    if schema is True:
        return
    known = {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "const", "enum", "pattern", "minLength", "maxLength",
             "minimum", "maximum", "multipleOf", "properties", "required", "additionalProperties", "items", "minItems", "maxItems",
             "uniqueItems", "oneOf"}
    if set(schema) - known:
        fail(f"a schema uses {set(schema) - known}, which this check does not know")
    if "$ref" in schema:
        reference = schema["$ref"]
        file, _, pointer = reference.partition("#")
        root = load_schema(file) if file else root
        target = root
        for step in pointer.strip("/").split("/") if pointer else []:
            target = target[step]
        yield from violations(value, target, root, path)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    if "type" in schema and (not isinstance(value, kinds[schema["type"]]) or (
            isinstance(value, bool) and schema["type"] == "integer")):
        yield f"{path}: not of type {schema['type']}"
        return
    if "const" in schema and value != schema["const"] or "enum" in schema and value not in schema["enum"]:
        yield f"{path}: another value than allowed"
    if "oneOf" in schema and sum(not list(violations(value, one, root, path)) for one in schema["oneOf"]) != 1:
        yield f"{path}: not exactly one of the alternatives"
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value, re.ASCII):
            yield f"{path}: does not fit {schema['pattern']}"
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{path}: wrong length"
    elif isinstance(value, int) and not isinstance(value, bool):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value) or value % schema.get("multipleOf", 1):
            yield f"{path}: out of range"
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{path}: wrong number of elements"
        if schema.get("uniqueItems") and len({json.dumps(item, sort_keys=True) for item in value}) != len(value):
            yield f"{path}: an element stands twice"
        for number, item in enumerate(value):
            yield from violations(item, schema.get("items", True), root, f"{path}[{number}]")
    elif isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                yield f"{path}: {name} is missing"
        for name, member in value.items():
            if name in schema.get("properties", {}):
                yield from violations(member, schema["properties"][name], root, f"{path}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{path}: unknown member {name}"


SCHEMAS = {}


def load_schema(name):
    if name not in SCHEMAS:
        SCHEMAS[name] = json.loads((HERE / "schemas" / name).read_text())
    return SCHEMAS[name]


def matches(name, value):
    schema = load_schema(name)
    return list(violations(value, schema, schema))


def documents(bundle):
    """The documents of a bundle: (schema, value)."""
    at = 0
    entries = []
    for _ in verify.PROLOGUE:
        size = int(bundle[at + 124:at + 135], 8)
        entries.append(bundle[at + 512:at + 512 + size])
        at += 512 + size + -size % 512
    yield "signatures.schema.json", json.loads(entries[1])
    trust = json.loads(entries[2])
    yield "trust.schema.json", trust
    head = json.loads(entries[3])
    yield "head.schema.json", head
    yield "approvals.schema.json", json.loads(entries[4])
    for link in trust["roots"]:
        yield "root.schema.json", json.loads(base64.b64decode(link["payload"]))
    for page in head["index"]:
        for line in bundle[at + 512:at + 512 + page["size"]].splitlines():
            yield "index-line.schema.json", json.loads(line)
        at += 512 + page["size"] + -page["size"] % 512


def check_schemas():
    count, used = 0, set()
    found = [("chain.schema.json", json.loads(path.read_bytes())) for path in (HERE / "vectors/trust").glob("*.json")]
    found += [("root.schema.json", json.loads(base64.b64decode(chain["roots"][0]["payload"]))) for _, chain in list(found)]
    for path in (HERE / "vectors/good").glob("*/bundle.airlock"):
        found += documents(path.read_bytes())
    for path in (HERE / "vectors/good").glob("*/vector.json"):
        for document in json.loads(path.read_text()).get("make", {}).get("documents", []):
            if document["type"] == "desired-state":
                found.append(("desired-state.schema.json", json.loads(base64.b64decode(document["data"]))))
    for path in (HERE / "schemas/examples").glob("*.json"):
        found.append((path.name.split(".")[0] + ".schema.json", json.loads(path.read_bytes())))
    for name, value in found:
        wrong = matches(name, value)
        if wrong:
            fail(f"{name}: {wrong[:3]}")
        used.add(name)
        count += 1
        for spoiled in spoil(value):
            if not matches(name, spoiled):
                fail(f"{name} accepts {json.dumps(spoiled)[:200]}")
            count += 1
    count += check_refused_states()
    # Types stand inside the others; release.yaml is no signed document and is checked by the program that reads it.
    inside = {"envelope.schema.json", "types.schema.json", "release.schema.json"}
    idle = {path.name for path in (HERE / "schemas").glob("*.schema.json")} - used - inside
    if idle:
        fail(f"schemas that nothing was checked with: {idle}")
    print(f"{count} documents judged by {len(used)} schemas")


def check_refused_states():
    """The schema refuses the form of every bad desired state that is refused for it, but for what JSON Schema cannot see."""
    import vector_desired  # which imports the writer, which imports this file
    refused = []

    class Bad:
        @staticmethod
        def bad(name, recipe, _says, kind, code, step):
            unseen = ("j01-desired-duplicate", "j02-desired-empty", "j02-desired-float")
            if (kind, code, step) in (("E-FORMAT", "grammar", "X13"), ("E-CONTENT", "verifier", "X13")) and name not in unseen:
                refused.append((name, next(data for kind, data in recipe.content.documents if kind == "desired-state")))

    vector_desired.bad(Bad)
    for name, data in refused:
        if not matches("desired-state.schema.json", json.loads(data)):
            fail(f"desired-state.schema.json accepts {name}")
    return len(refused)


def spoil(value):
    """The same object without one member, and with one too many."""
    optional = {"tag", "media_type", "epochs", "time_reset"}
    for name in value:
        if name not in optional:
            yield {key: member for key, member in value.items() if key != name}
    yield {**value, "novelty": 1}


# --- Edges of Ed25519 ---------------------------------------------------------------------------------------------

def check_curve():
    cases = json.loads((HERE / "vectors/ed25519.json").read_text())
    for case in cases:
        public = bytes.fromhex(case["public"])
        found = {"key": verify.strict_point(public) is not None,
                 "valid": verify.signature_holds(public, bytes.fromhex(case["message"]), bytes.fromhex(case["signature"]))}
        if found != {name: case[name] for name in found}:
            fail(f"ed25519.json: {case['says']}: {found}")
    print(f"{len(cases)} edge cases of Ed25519")


# --- Other readers of tar, and damage -----------------------------------------------------------------------------

def check_listing():
    """What is accepted lists alike in GNU tar and in Python: there is one reading of a bundle."""
    count = 0
    for path in sorted((HERE / "vectors/good").glob("*/bundle.airlock")):
        head = next(value for name, value in documents(path.read_bytes()) if name == "head.schema.json")
        names = [name for name, _ in verify.PROLOGUE]
        names += [f"05-index/{number:04}" for number in range(1, len(head["index"]) + 1)] + ["06-fill"]
        names += [f"chunks/{number:010}" for number in range(1, head["totals"]["chunks"] + 1)]
        listed = subprocess.run(["tar", "tf", path], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
        with tarfile.open(path, "r:") as archive:
            read = [member.name for member in archive.getmembers() if member.isreg()]
        if listed != names or read != names:
            fail(f"{path}: tar lists {listed}, Python {read}, expected {names}")
        count += len(names)
    print(f"{count} entries listed alike by tar and Python")


def check_damage(step=211):
    """Every so many bits of a good bundle: verify.py refuses, and never stumbles."""
    folder = HERE / "vectors/good/one-chunk-compressed"
    vector, data = json.loads((folder / "vector.json").read_text()), (folder / "bundle.airlock").read_bytes()
    chains = [verify.Chain((folder / name).read_bytes()) for name in vector["trust"]]
    damaged = [bytes([*data[:bit // 8], data[bit // 8] ^ 1 << bit % 8, *data[bit // 8 + 1:]]) for bit in range(0, len(data) * 8, step)]
    damaged += [data[:length] for length in range(0, len(data), step)]
    for number, bundle in enumerate(damaged):
        try:
            verify.Verifier(verify.Source(io.BytesIO(bundle)), chains).run()
        except verify.Refusal:
            continue
        fail(f"damage {number} was accepted")
    print(f"{len(damaged)} damaged bundles refused")


def main():
    if sys.argv[1:] == ["--walk"]:
        data, parts = walk()
        for says, start, end in parts:
            if says:
                print(f"; {says}")
            print("\n".join(hex_lines(data, start, end)))
        return
    check_requirements()
    check_walk()
    check_schemas()
    check_curve()
    check_listing()
    check_damage()
    if subprocess.run([sys.executable, HERE / "make_vectors.py", "--check", HERE / "vectors"], check=False).returncode:
        fail("the vectors are not what make_vectors.py makes")
    if run_vectors(HERE / "vectors"):
        fail("verify.py judges vectors otherwise than expected")


if __name__ == "__main__":
    main()
