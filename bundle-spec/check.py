#!/usr/bin/env python3
"""Check that the specification, the vectors, the schemas and the verifier agree; needs Python 3.9 and `zstd`,
and for the lines of AUDIT.md `jq`, `openssl` and `xxd`.

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
import tempfile

import verify
import verify_package
from run_status_vectors import run_status_vectors, stream_of
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
            if match[1] in rows:
                fail(f"section 13 has two rows of {match[1]}")
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
    held = {*range(128, 141)}
    most = max(map(number_of, stated))
    if sorted(stated, key=number_of) != [f"M-{number}" for number in range(1, most + 1) if number not in held]:
        fail("requirements are not numbered 1, 2, 3 …, but for those that are held for text to come")
    rows, unbuilt = coverage(), not_built(text)
    if list(rows) != sorted(rows, key=number_of) or set(stated) - set(rows) - unbuilt or set(rows) - set(stated):
        fail(f"section 13 has not exactly the stated requirements in order: {(set(rows) ^ set(stated)) - unbuilt}")
    vectors = {str(path.parent.relative_to(HERE / "vectors")): "" for path in sorted((HERE / "vectors").glob("*/*/vector.json"))}
    vectors.update({str(path.parent.relative_to(HERE / "status-vectors")) + "|": "status/"
                    for path in sorted((HERE / "status-vectors").glob("*/*/vector.json"))})
    plain = {of + name.rstrip("|").split("bad/")[-1] for name, of in vectors.items()}
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
    idle = [name for name, of in vectors.items() if not covers(name.rstrip("|"), of)]
    if idle:
        fail(f"vectors that no requirement names: {idle}")
    print(f"{len(stated)} requirements, {len(rows)} with tests, {len(unbuilt)} not done by the program yet")


def number_of(requirement):
    return int(requirement[2:])


def not_built(text):
    """The requirements that section 17 names, by number or as `M-1 to M-9`."""
    words = text.partition("## 17. Not in this version of the program")[2]
    found = set()
    for first, last in re.findall(r"M-([0-9]+)(?: to M-([0-9]+))?", words.partition(". ")[0]):
        found.update(f"M-{number}" for number in range(int(first), int(last or first) + 1))
    return found


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
    if schema is False:
        yield f"{path}: may not stand"
        return
    known = {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "const", "enum", "pattern", "minLength", "maxLength",
             "minimum", "maximum", "multipleOf", "properties", "required", "additionalProperties", "items", "minItems", "maxItems",
             "uniqueItems", "oneOf", "if", "then", "else"}
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
    if "if" in schema:
        branch = "else" if list(violations(value, schema["if"], root, path)) else "then"
        yield from violations(value, schema.get(branch, True), root, path)
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


def returned(package):
    """The documents of a status package: (schema, value)."""
    at, entries = 0, []
    for _ in verify.PROLOGUE:
        size = int(package[at + 124:at + 135], 8)
        entries.append(package[at + 512:at + 512 + size])
        at += 512 + size + -size % 512
    head = json.loads(entries[3])
    yield from zip(("signatures.schema.json", "status-hints.schema.json", "status-head.schema.json", "approvals.schema.json"),
                   map(json.loads, entries[1:]))
    chunks = []
    for page in head["index"]:
        for line in map(json.loads, package[at + 512:at + 512 + page["size"]].splitlines()):
            yield "index-line.schema.json", line
            chunks += [line] if line["kind"] == "chunk" else []
    at, plain, sizes = head["payload_offset"], b"", [part["size"] for part in head["parts"]]
    for chunk, size in zip(chunks, verify.cut(sizes, len(sizes), head["chunk_bytes"])):
        stored = package[at + 512:at + 512 + chunk["size"]]
        plain += stored if chunk["codec"] == "none" else verify.decompress(stored, size)
        at += 512 + chunk["size"] + -chunk["size"] % 512
    for line in plain.split(b"\n")[:-1]:
        if len(line) < 100_000:  # the vectors' large ones are all alike
            yield "status-line.schema.json", json.loads(line)
        if line.startswith(b'{"payload":'):
            yield "receipt.schema.json", json.loads(base64.b64decode(json.loads(line)["payload"]))


def returned_otherwise(folder):
    """Enrolments, acknowledgements and checkpoints of the vectors: (schema, value)."""
    def payload(raw):
        return json.loads(base64.b64decode(json.loads(raw)["payload"]))

    for path in (folder / "enrolments").glob("*.json"):
        yield "enrolment.schema.json", payload(path.read_bytes())
    for path in (folder / "good").glob("*/acknowledgement.json"):
        yield "acknowledgement.schema.json", payload(path.read_bytes())
    for path in (folder / "good").glob("*/audit.jsonl"):
        yield "audit-checkpoint.schema.json", payload(path.read_bytes().splitlines()[-1])


def check_schemas():
    count, used = 0, set()
    found = [("chain.schema.json", json.loads(path.read_bytes())) for path in (HERE / "vectors/trust").glob("*.json")]
    found += [("root.schema.json", json.loads(base64.b64decode(chain["roots"][0]["payload"]))) for _, chain in list(found)]
    for path in (HERE / "vectors/good").glob("*/bundle.airlock"):
        found += documents(path.read_bytes())
    for path in (HERE / "status-vectors/good").glob("*/*.airlock-status"):
        found += returned(path.read_bytes())
    found += returned_otherwise(HERE / "status-vectors")
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
        for spoiled in spoil(name, value):
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
    import vector_secrets
    refused = []

    class Bad:
        @staticmethod
        def bad(name, recipe, _says, kind, code, step):
            unseen = ("j01-desired-duplicate", "j02-desired-empty", "j02-desired-float")
            if (kind, code, step) in (("E-FORMAT", "grammar", "X13"), ("E-CONTENT", "verifier", "X13")) and name not in unseen:
                refused.append((name, next(data for kind, data in recipe.content.documents if kind == "desired-state")))

    vector_desired.bad(Bad)
    vector_secrets.bad(Bad)
    for name, data in refused:
        if not matches("desired-state.schema.json", json.loads(data)):
            fail(f"desired-state.schema.json accepts {name}")
    return len(refused)


# What may be left out, by the kind of line where it is not so everywhere.
OPTIONAL = {
    "": {"tag", "media_type", "plain_size", "epochs", "time_reset", "acknowledged", "previous"}, "release": {"since"},
    "target": {"seen", "since", "removed", "agent", "metrics", "name"}, "deployment": {"wanted", "removed"},
    "transition": {"entered", "text"}, "status": {"entered", "text"}, "continued": {"entered", "text"}, "gap": {"target"}}


def spoil(name, value):
    """The same object without one member, and with one too many."""
    optional = OPTIONAL.get(value.get("kind", ""), set()) | ({"disk"} if "samples" in value else OPTIONAL[""])
    optional |= {"follows"} if "name" not in value else set()
    if value.get("kind") == "deployment" and "runs" not in value and "doubt" not in value:
        optional = {"wanted"}
    elif value.get("kind") == "deployment" and "removed" in value:
        optional = optional | {"runs", "doubt"}
    for member in value:
        if member not in optional:
            yield {key: other for key, other in value.items() if key != member}
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


def check_damage_of_package(step=397):
    """Every so many bits and cuts of the least package: refused, a flipped bit with the class of its region."""
    folder = HERE / "status-vectors/good/least"
    vector, data = json.loads((folder / "vector.json").read_text()), (folder / "1.airlock-status").read_bytes()
    sites = verify_package.Sites([(folder / name).read_bytes() for name in vector["enrolments"]])
    regions, at = [], 0
    for name, _ in verify.PROLOGUE:
        size = int(data[at + 124:at + 135], 8)
        regions.append((at + 512, at + 512 + size, {"01": "E-SIGNATURE", "02": "E-TRUST", "03": "E-SIGNATURE", "04": "E-POLICY"}.get(name[:2])))
        at += 512 + size + -size % 512
    size = int(data[at + 124:at + 135], 8)
    regions.append((at + 512, at + 512 + size, "E-INTEGRITY"))
    opening = at
    head = json.loads(data[regions[3][0]:regions[3][1]])
    regions.append((head["payload_offset"] + 512, head["payload_offset"] + 512 + head["totals"]["stored_bytes"], "E-INTEGRITY"))

    def verdict(package):
        try:
            return verify_package.Package(io.BytesIO(package), sites).run()
        except verify.Refusal as refusal:
            return refusal.kind

    count = 0
    for bit in range(0, len(data) * 8, step):
        place = bit // 8
        expected = next((kind for first, end, kind in regions if first <= place < end and kind), "E-FORMAT")
        found = verdict(bytes([*data[:place], data[place] ^ 1 << bit % 8, *data[place + 1:]]))
        if found != expected:
            fail(f"bit {bit} of a package: {found} where {expected} is expected")
        count += 1
    for length in range(0, len(data), step):
        found, expected = verdict(data[:length]), "E-FORMAT" if length < opening else "E-INCOMPLETE"
        if found != expected:
            fail(f"a package cut after {length} bytes: {found} where {expected} is expected")
        count += 1
    print(f"{count} damaged packages refused, each with the class of its region")


def check_by_hand():
    """The lines of AUDIT.md accept good packages, and refuse what they say they check."""
    lines = (HERE / "AUDIT.md").read_text().partition("## A status package by hand")[2].partition("```sh\n")[2].partition("```")[0]
    cases = {"good": ("least", "full", "empty", "two-pages", "approvals", "replaced-key"), "bad": (
        "v3-stranger", "v3-head-flipped", "v4-site", "v6-page-hash", "v7-stored-hash", "v7-digest", "v8-sum", "v8-shown", "v9-stranger",
        "v9-bad-signature", "v10-rewritten", "v10-hash")}
    for group, names in cases.items():
        for name in names:
            folder = HERE / "status-vectors" / group / name
            vector = json.loads((folder / "vector.json").read_text())
            with tempfile.NamedTemporaryFile() as package:
                with stream_of(folder / vector["files"][-1]) as stream:
                    package.write(stream.read())
                package.flush()
                ended = subprocess.run(["sh", "-c", lines, "package.sh", package.name, *(folder / one for one in reversed(vector["enrolments"]))], check=False,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if (ended.returncode == 0) != (group == "good"):
                fail(f"the lines of AUDIT.md end with {ended.returncode} for {group}/{name}: {ended.stderr.decode()[-300:]}")
    print(f"{sum(map(len, cases.values()))} packages judged by the lines of AUDIT.md")


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
    check_damage_of_package()
    check_by_hand()
    if subprocess.run([sys.executable, HERE / "make_vectors.py", "--check", HERE / "vectors"], check=False).returncode:
        fail("the vectors are not what make_vectors.py makes")
    if subprocess.run([sys.executable, HERE / "make_status_vectors.py", "--check", HERE / "status-vectors"], check=False).returncode:
        fail("the vectors of packages are not what make_status_vectors.py makes")
    if run_vectors(HERE / "vectors") or run_status_vectors(HERE / "status-vectors"):
        fail("verify.py judges vectors otherwise than expected")


if __name__ == "__main__":
    main()
