#!/usr/bin/env python3
"""Verify an airlock bundle without airlock.

    verify.py BUNDLE --trust root.json [--site ID] [--mark EPOCH:SEQ:HEAD] [--at TIME] [--rebuild] [--base BUNDLE]… [--json]
    verify.py FILE… --enrolment FILE… [--trust root.json] [--json]

The second form judges what comes back from a site, with the key of its enrolment file (several where a key was replaced, the newest
last): status packages, summaries (bytes, text of QR codes, dictated lines), exports of the audit log; with --trust also
acknowledgements. Each file is compared with those before it. See verify_package.py, verify_summary.py and verify_status.py.

BUNDLE is a file, or - for a pipe. It is read once, front to back, in memory for one chunk and the index. Needed are
Python 3.9, its standard library, and the command `zstd`; nothing of the product. The rules are those of SPEC.md, whose
sections this file follows: 1 canonical JSON, 2 keys and signatures, 3 trust roots, 4 container, 5 head, 6 index and
chunks, 7 content, 8 order of checks, 11 desired state. Where the two differ, SPEC.md is right.

Without --site, what only a site can judge is skipped and reported: audience, sequence, approvals, needed content.
With --site and without --mark the bundle is judged as the first one of its product and channel. Expiry is judged with
--at only; whether the bundle was issued too far ahead, by that time or the clock. Prints one line; exit codes: 0 good, 2 usage, 10 to 27 the class of the refusal, 70 a bug in this file.
"""

import argparse
import base64
import contextlib
import datetime
import filecmp
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zlib

import verify_delta
import verify_recipe

EXIT = {"E-USAGE": 2, "E-FORMAT": 10, "E-LIMIT": 11, "E-SIGNATURE": 12, "E-TRUST": 13, "E-AUDIENCE": 14, "E-ROLLBACK": 15,
        "E-EQUIVOCATION": 16, "E-EXPIRED": 17, "E-CLOCK": 18, "E-INTEGRITY": 19, "E-INCOMPLETE": 20, "E-DEPENDENCY": 21,
        "E-CONTENT": 22, "E-POLICY": 23, "E-IO": 25, "E-INTERNAL": 70}
KIB, MIB = 1 << 10, 1 << 20
INTEGER_MAX = 2**53 - 1
VERSION = (0, 2, 0)  # the version of airlock whose specification this is


class Refusal(Exception):
    """Why a bundle is not accepted: class, sub-code, sentence; the step is added where it is caught."""

    def __init__(self, kind, code, found, step=None):
        super().__init__(found)
        self.kind, self.code, self.found, self.step = kind, code, found, step


# --- What people see ----------------------------------------------------------------------------------------------

# First and last of what a terminal may misread: control characters, separators of lines, halves of surrogate pairs, and all that is
# invisible or turns the direction of writing. They are shown as \uXXXX, as JSON writes them; airlock and audit.sh have the same table.
HOSTILE = ((0x00, 0x1f), (0x7f, 0x9f), (0xad, 0xad), (0x34f, 0x34f), (0x61c, 0x61c), (0x115f, 0x1160), (0x17b4, 0x17b5),
           (0x180b, 0x180f), (0x200b, 0x200f), (0x2028, 0x202e), (0x2060, 0x206f), (0x3164, 0x3164), (0xd800, 0xdfff),
           (0xfe00, 0xfe0f), (0xfeff, 0xfeff), (0xffa0, 0xffa0), (0xfff0, 0xfffb), (0x1bca0, 0x1bca3), (0x1d173, 0x1d17a),
           (0xe0000, 0xe0fff))


def hostile(character):
    return any(first <= ord(character) <= last for first, last in HOSTILE)


def escaped(character):
    number = ord(character)
    units = [number] if number < 0x10000 else [0xd800 + (number - 0x10000 >> 10), 0xdc00 + (number & 0x3ff)]
    return "".join(f"\\u{unit:04x}" for unit in units)


def shown(words):
    """Words as they may stand on a terminal; a JSON text keeps its value."""
    return "".join(escaped(character) if hostile(character) else character for character in words)


def quoted(value, most=None):
    """A value inside a sentence; what is hostile in it is escaped where the sentence is printed."""
    return (f'"{value}"' if isinstance(value, str) else repr(value))[:most]


class Parser(argparse.ArgumentParser):
    """Arguments come from outside too."""

    def error(self, message):
        super().error(shown(message))


# --- 1. Canonical JSON --------------------------------------------------------------------------------------------

class Grammar(ValueError):
    """A value does not have the shape that its document needs."""


class NonCanonical(ValueError):
    """A value is understood but not written in the one form."""


TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
IN_STRING = re.compile(rb"(?:[^\x00-\x1f\x7f\\]|\\[^bfnrtu])*\\?", re.DOTALL)


def parse_canonical(data, shape, what, string_bytes=4 * KIB):
    """Parse, check the shape, write again, compare bytes."""
    bound_json(data, what, string_bytes)
    try:
        value = load_json(data)
        shape(value)
        written = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        if written != data:
            raise NonCanonical
    except NonCanonical:
        raise Refusal("E-FORMAT", "non-canonical", f"{what} is not in canonical form") from None
    except (ValueError, RecursionError) as error:
        raise Refusal("E-FORMAT", "grammar", f"{what} does not parse: {str(error)[:200]}") from None
    return value


def bound_json(data, what, string_bytes):
    """Bound depth and strings before a parser sees the text; refuse control characters and escapes for them."""
    depth = 0
    for match in TOKENS.finditer(data):
        token = match[0]
        if token[:1] == b'"':
            body = token[1:-1] if len(token) > 1 and token.endswith(b'"') else token[1:]
            if not IN_STRING.fullmatch(body[:string_bytes + 2]):
                raise Refusal("E-FORMAT", "non-canonical", f"{what} is not in canonical form")
            if len(body) > string_bytes:
                raise Refusal("E-LIMIT", "string-length", f"{what} holds a string of more than {string_bytes} bytes")
        else:
            depth += 1 if token in (b"[", b"{") else -1
            if depth > 8:
                raise Refusal("E-LIMIT", "depth", f"{what} is nested deeper than 8 levels")


def load_json(data):
    def members(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise Grammar("a member stands twice")
        return dict(pairs)

    def refuse(text):
        raise Grammar(f"the number {text[:40]} is not an integer of 64 bits")

    def integer_of(text):
        number = refuse(text) if text == "-0" or len(text) > 20 else int(text)
        return number if -2**63 <= number < 2**64 else refuse(text)

    return json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_int=integer_of, parse_float=refuse, parse_constant=refuse)


def text(pattern=None, least=0, most=None):
    """A string that fits a pattern as a whole; lengths are in bytes."""
    compiled = re.compile(pattern, re.ASCII) if pattern else None

    def check(value):
        if not isinstance(value, str):
            raise Grammar(f"{quoted(value, 40)} is not a string")
        if compiled and not compiled.fullmatch(value):
            raise Grammar(f"{quoted(value, 80)} does not fit {pattern}")
        if not least <= len(value.encode()) <= (most or INTEGER_MAX):
            raise Grammar(f"{quoted(value, 40)} is too short or too long")
    return check


def integer(value):
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= INTEGER_MAX:
        raise Grammar(f"{quoted(value, 40)} is not an integer of 0 to 2^53-1")


def count(value):
    """A number of 64 bits, where one that is too large is told as the wrong one."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
        raise Grammar(f"{quoted(value, 40)} is not an integer")


def boolean_true(value):
    if value is False:
        raise NonCanonical  # left out when it has nothing to say
    if value is not True:
        raise Grammar("not true")


def boolean(value):
    if not isinstance(value, bool):
        raise Grammar(f"{quoted(value, 40)} is neither true nor false")


def one_of(*words):
    def check(value):
        if not isinstance(value, str) or value not in words:
            raise Grammar(f"{quoted(value, 40)} is not one of {words}")
    return check


def list_of(item):
    def check(value):
        if not isinstance(value, list):
            raise Grammar("not a list")
        for element in value:
            item(element)
    return check


def record(required, optional=None):
    """An object with exactly these members; optional ones are left out, never null."""
    shapes = {**required, **(optional or {})}

    def positional(value):
        """Some parsers take members by position: understood, and not the one form."""
        names = sorted(shapes)
        if len(value) > len(names) or any(name in required for name in names[len(value):]):
            raise Grammar("not an object")
        for name, member in zip(names, value):
            if member is not None or name in required:
                shapes[name](member)
        raise NonCanonical

    def check(value):
        if isinstance(value, list):
            positional(value)
        if not isinstance(value, dict):
            raise Grammar("not an object")
        for name, member in value.items():
            if name not in shapes:
                raise Grammar(f"unknown member {quoted(name, 80)}")
            if member is None and name not in required:
                raise NonCanonical
            shapes[name](member)
        for name in required:
            if name not in value:
                raise Grammar(f"the member {quoted(name)} is missing")
    return check


def time(value):
    text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]Z")(value)
    try:
        if moment(value).year < 1970:
            raise ValueError
    except ValueError:
        raise Grammar(f"{quoted(value)} is not a time of the years 1970 to 9999") from None


def moment(value):
    return datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")


def base64_text(value):
    text()(value)
    try:
        if base64.b64encode(base64.b64decode(value, validate=True)).decode() != value:
            raise ValueError
    except ValueError:
        raise Grammar("not canonical base64") from None


def version(value):
    text(r"(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})")(value)
    if any(number >= 2**32 for number in version_numbers(value)):
        raise Grammar(f"{quoted(value)} is not a version")


def version_numbers(value):
    return tuple(int(number) for number in value.split("."))


def host(value):
    text()(value)
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    match = re.fullmatch(rf"({label}(\.{label})*)(:[0-9]{{1,5}})?", value, re.ASCII)
    if not match or not ("." in match[1] or match[5] or match[1] == "localhost"):
        raise Grammar(f"{quoted(value, 80)} is not a registry host")


HEX64 = text(r"[0-9a-f]{64}")
DIGEST = text(r"sha256:[0-9a-f]{64}")
SITE = text(r"[0-9a-f]{32}")
NAME = text(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")
SIGNATURE = record({"keyid": HEX64, "sig": base64_text})
PATH_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
TAG = text(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
UUID = text(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def repository(value):
    text(most=255)(value)
    first, slash, path = value.partition("/")
    host(first)
    text(rf"{PATH_PART}(/{PATH_PART})*")(path)


def ascending(values):
    return all(a < b for a, b in zip(values, values[1:]))


# --- 2. Keys and signatures ---------------------------------------------------------------------------------------
# Ed25519 as in RFC 8032, section 5.1, on whole numbers; strict: canonical encodings, no small order, S < L, and the
# equation without the cofactor. Slow and not constant in time, which does not matter for checking.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
IDENTITY = (0, 1, 1, 0)  # extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    i, j, k, m = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P, 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = j - i, m - k, m + k, j + i
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def decode_point(encoded):
    """Return the point, or None when the 32 bytes are not the one encoding of a point."""
    if len(encoded) != 32:
        return None
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def strict_point(encoded):
    point = decode_point(encoded)
    return None if point is None or equal(multiply(8, point), IDENTITY) else point


def signature_holds(public, message, signature):
    a, r, s = strict_point(public), strict_point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or len(signature) != 64 or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return equal(multiply(s, BASE), add(r, multiply(k, a)))


TRUST_ROOT = "application/vnd.airlock.trust-root.v1+json"
BUNDLE_HEAD = "application/vnd.airlock.bundle-head.v1+json"
PAYLOAD_TYPES = [f"application/vnd.airlock.{name}.v1+json" for name in (
    "trust-root", "bundle-head", "status-head", "site-approval", "withdrawal-list", "licence", "status-acknowledgement",
    "import-receipt", "enrolment", "audit-checkpoint", "export-approval")] + ["application/vnd.airlock.status-summary.v1"]


def key_id(public):
    return hashlib.sha256(b"airlock-key-ed25519-v1\n" + public).hexdigest()


def pre_authentication(payload_type, payload):
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)


def verify_role(root, role, payload_type, payload, signatures):
    """All rules of the role must hold; thresholds count distinct keys; a bad signature by a known key refuses."""
    if len(signatures) > 32:
        raise Refusal("E-LIMIT", "signatures", f"a document has {len(signatures)} signatures")
    message, good = pre_authentication(payload_type, payload), set()
    public = {key["id"]: bytes.fromhex(key["public"]) for key in root["keys"]}
    members = {keyid for rule in root["roles"][role] for keyid in rule["keys"]}
    for signature in signatures:
        keyid = signature["keyid"]
        if keyid not in members:
            continue
        if not signature_holds(public[keyid], message, base64.b64decode(signature["sig"])):
            raise Refusal("E-SIGNATURE", "bad-signature", f"the signature by key {keyid} does not fit the document")
        good.add(keyid)
    for rule in root["roles"][role]:
        found = len(good.intersection(rule["keys"]))
        if found < rule["threshold"]:
            raise Refusal("E-SIGNATURE", "below-threshold",
                          f"{found} of the keys that may sign this {'has' if found == 1 else 'have'} signed, {rule['threshold']} must")


# --- 3. Trust roots -----------------------------------------------------------------------------------------------

ENVELOPE = record({"payload": base64_text, "payloadType": one_of(*PAYLOAD_TYPES), "signatures": list_of(SIGNATURE)})
ROLES = ("ack", "licence", "release", "root", "withdrawal")
RULE = record({"keys": list_of(HEX64), "scheme": one_of("ed25519"), "threshold": integer})
ROOT = record({
    "expires": time, "issued_at": time, "products": list_of(NAME), "reader": version, "vendor": text(), "version": integer,
    "keys": list_of(record({"id": HEX64, "public": HEX64, "scheme": one_of("ed25519")})),
    "roles": record({role: list_of(RULE) for role in ROLES}),
}, {"epochs": list_of(record({"channel": NAME, "epoch": integer, "product": NAME})), "time_reset": boolean_true})
ENVELOPE_STRINGS = 256 * KIB // 3 * 4 + 4  # base64 of the largest payload


def distrust(code, found):
    return Refusal("E-TRUST", code, found)


def as_class(kind, refusal):
    """Move a refusal into the class of its region; an exceeded limit stays what it is."""
    return refusal if refusal.kind == "E-LIMIT" else Refusal(kind, refusal.code, refusal.found)


def parse_root(payload):
    if len(payload) > 64 * KIB:
        raise Refusal("E-LIMIT", "root-size", f"a root document has {len(payload)} bytes")
    try:
        root = parse_canonical(payload, ROOT, "a root document")
    except Refusal as refusal:
        raise as_class("E-TRUST", refusal) from None
    ids = [key["id"] for key in root["keys"]]
    scopes = [(rule["product"], rule["channel"]) for rule in root.get("epochs", [])]
    if not 1 <= len(root["vendor"].encode()) <= 200:
        raise distrust("vendor", "the vendor's name is empty or longer than 200 bytes")
    if root["version"] == 0:
        raise distrust("version", "the version is 0")
    if root["issued_at"] >= root["expires"]:
        raise distrust("times", "a root expires before it was issued")
    if not root["products"] or not ascending(root["products"]):
        raise distrust("products", "products are missing, repeated or out of order")
    if "epochs" in root and not scopes:
        raise distrust("non-canonical", "an empty list of epochs is left out")
    if not ascending(scopes) or any(product not in root["products"] for product, _ in scopes):
        raise distrust("epochs", "epochs are repeated, out of order or of another product")
    if not ascending(ids):
        raise distrust("keys", "keys are repeated or out of order")
    for key in root["keys"]:
        public = bytes.fromhex(key["public"])
        if strict_point(public) is None:
            raise distrust("weak-key", f"{key['public']} is not an Ed25519 key to trust")
        if key_id(public) != key["id"]:
            raise distrust("key-id", f"the id {key['id']} does not follow from its key's bytes")
    used = set()
    for role in ROLES:
        if not root["roles"][role]:
            raise distrust("role", f"the role {role} has no rule")
        members = set()
        for rule in root["roles"][role]:
            if not 1 <= rule["threshold"] <= len(rule["keys"]):
                raise distrust("threshold", f"the role {role} wants {rule['threshold']} of {len(rule['keys'])} keys")
            if not ascending(rule["keys"]) or any(keyid not in ids for keyid in rule["keys"]):
                raise distrust("role-keys", f"the role {role} has repeated, unordered or unlisted keys")
            members.update(rule["keys"])
        if used & members:
            raise distrust("shared-key", "a key is in two roles")
        used |= members
    if used != set(ids):
        raise distrust("unused-key", "a key is listed that no role uses")
    return root


class Chain:
    """Roots 1..N of one trust domain, every link verified."""

    def __init__(self, file):
        if len(file) > 4 * MIB:
            raise Refusal("E-LIMIT", "chain-size", "the chain file is larger than 4 MiB")
        try:
            roots = parse_canonical(file, record({"roots": list_of(ENVELOPE)}), "the chain file", ENVELOPE_STRINGS)["roots"]
        except Refusal as refusal:
            raise as_class("E-TRUST", refusal) from None
        if not roots:
            raise distrust("chain-file", "the chain file holds no root")
        first, payload = roots[0], self.payload(roots[0])
        root = parse_root(payload)
        if root["version"] != 1:
            raise distrust("version", f"a chain starts with root {root['version']}")
        self.check(root, payload, first)
        self.payloads, self.roots = [payload], [root]
        self.domain = hashlib.sha256(payload).hexdigest()
        self.extend(roots[1:])

    @staticmethod
    def payload(envelope):
        if envelope["payloadType"] != TRUST_ROOT:
            raise distrust("wrong-type", f"a root link holds {envelope['payloadType']}")
        return base64.b64decode(envelope["payload"])

    @staticmethod
    def check(by, payload, envelope):
        try:
            verify_role(by, "root", TRUST_ROOT, payload, envelope["signatures"])
        except Refusal as refusal:
            raise as_class("E-TRUST", refusal) from None

    def extend(self, links):
        """Walk links 2, 3 … that are held or new; held ones must have the same payload."""
        if len(links) > 1024:
            raise Refusal("E-LIMIT", "links", f"{len(links)} root links are offered")
        for number, envelope in enumerate(links, start=2):
            payload = self.payload(envelope)
            if number <= len(self.roots) and payload != self.payloads[number - 1]:
                raise distrust("other-root", f"root {number} differs from the pinned one")
            self.check(self.roots[number - 2], payload, envelope)
            refuse_newer_root(payload)
            root = parse_root(payload)
            if root["version"] != number:
                raise distrust("version", f"root {root['version']} stands where root {number} belongs")
            self.check(root, payload, envelope)
            if number > len(self.roots):
                self.payloads.append(payload)
                self.roots.append(root)


def refuse_newer_root(payload):
    if len(payload) > 64 * KIB:
        raise Refusal("E-LIMIT", "root-size", f"a root document has {len(payload)} bytes")
    try:
        reader = lenient(payload, "a root document").get("reader")
        version(reader)
    except (Refusal, Grammar) as error:
        raise as_class("E-TRUST", error if isinstance(error, Refusal) else distrust("grammar", str(error))) from None
    if version_numbers(reader) > VERSION:
        raise distrust("needs-newer-reader", f"a root document needs airlock {reader}")


def lenient(data, what):
    """Parse without the comparison: for the members that are read before a newer reader is ruled out."""
    bound_json(data, what, 4 * KIB)
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal("E-FORMAT", "grammar", f"{what} does not parse: {error}") from None
    if not isinstance(value, dict):
        raise Refusal("E-FORMAT", "grammar", f"{what} is not an object")
    return value


# --- 4. Container -------------------------------------------------------------------------------------------------

PROLOGUE = (("00-format", 128), ("01-signatures.json", 256 * KIB), ("02-trust.json", 4 * MIB),
            ("03-head.json", 256 * KIB), ("04-approvals.json", 256 * KIB))


def tar_header(name, size):
    """The one header that an entry may have."""
    header = bytearray(512)
    for at, field in ((0, name.encode()), (100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"),
                      (124, b"%011o\0" % size), (136, b"00000000000\0"), (148, b" " * 8), (156, b"0"),
                      (257, b"ustar\x0000"), (329, b"0000000\0"), (337, b"0000000\0")):
        header[at:at + len(field)] = field
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


class Source:
    """The file's bytes, once, in order."""

    def __init__(self, stream, noun="bundle"):
        self.stream, self.noun, self.position, self.short = stream, noun, 0, "E-FORMAT"  # from entry 05 on: E-INCOMPLETE

    def read(self, count):
        data = b""
        while len(data) < count:
            try:
                piece = self.stream.read(count - len(data))
            except OSError as error:
                raise Refusal("E-IO", "io", f"cannot read the {self.noun}: {error}") from None
            if not piece:
                raise Refusal(self.short, "truncated", f"the {self.noun} ends after {self.position + len(data)} bytes")
            data = data + piece if data else piece
        self.position += count
        return data

    def zeros(self, count, code):
        while count:
            step = min(count, 4 * KIB)
            if self.read(step).strip(b"\0"):
                raise Refusal("E-FORMAT", code, f"bytes other than zero stand before byte {self.position}")
            count -= step

    def claimed(self, name, cap):
        """An entry before the head: its size field is read, every other byte compared."""
        header = self.read(512)
        field = header[124:135]
        size = int(field, 8) if re.fullmatch(rb"[0-7]{11}", field) else None
        if size is None or header != tar_header(name, size):
            raise Refusal("E-FORMAT", "header", f"the header before the entry {name} is not the expected one")
        if size > cap:
            raise Refusal("E-LIMIT", "size", f"the entry {name} has {size} bytes")
        return self.content(size)

    def expected(self, name, size):
        """Every later header is generated and compared."""
        if self.read(512) != tar_header(name, size):
            raise Refusal("E-FORMAT", "header", f"the header before the entry {name} is not the expected one")

    def content(self, size):
        data = self.read(size)
        self.zeros(-size % 512, "padding")
        return data


# --- 5. Head ------------------------------------------------------------------------------------------------------

DOCUMENT_BYTES = {"acknowledgement": 64 * KIB, "compose": MIB, "desired-state": 4 * MIB, "env": MIB, "notes": 4 * MIB, "secrets": MIB, "values": MIB}
#: Those that the lines of an index use.
OF_INDEX = ("delta-1", "encoding-1", *verify_recipe.FEATURES)
FEATURES = (*OF_INDEX, "missing-subjects-1", "nondistributable-layers-1", "secrets-1", "volumes-1")
TOTALS = ("blobs", "chunks", "content_bytes", "early_blobs", "needs", "stored_bytes")


def audience(value):
    if value != "any":
        list_of(SITE)(value)


HEAD = record({
    "audience": audience, "builder": record({"name": text(), "version": text()}), "channel": NAME, "chunk_bytes": integer,
    "documents": list_of(record({"digest": DIGEST, "size": integer, "type": one_of(*DOCUMENT_BYTES)})), "domain": HEX64,
    "epoch": integer, "expires": time, "home_hosts": list_of(text()),
    "index": list_of(record({"sha256": HEX64, "size": integer})),
    "issued_at": time, "minimum_appliance": version, "payload_offset": integer, "product": NAME, "reader": version,
    "requires": list_of(text()), "root_version": integer, "sequence": integer,
    "totals": record({name: integer for name in TOTALS}), "version": text(), "volumes": list_of(count),
})


def parse_head(data):
    peek = lenient(data, "the head")
    requires, reader = peek.get("requires"), peek.get("reader")
    try:
        list_of(text())(requires)
        version(reader)
    except Grammar as error:
        raise Refusal("E-FORMAT", "grammar", f"the head does not parse: {error}") from None
    for feature in requires:
        if feature not in FEATURES:
            raise Refusal("E-FORMAT", "needs-newer-reader", f"the bundle needs {quoted(feature, 80)}; airlock {reader} reads it")
    head = parse_canonical(data, HEAD, "the head")

    def wrong(code, found):
        return Refusal("E-FORMAT", code, found)

    totals, size = head["totals"], head["chunk_bytes"]
    if not MIB <= size <= 16 * MIB or size & (size - 1):
        raise wrong("chunk-bytes", "chunk_bytes is not a power of two from 1 MiB to 16 MiB")
    if head["audience"] != "any" and not ascending(head["audience"]):
        raise wrong("audience", "the audience repeats sites or has them out of order")
    if head["issued_at"] >= head["expires"]:
        raise wrong("times", "the bundle expires before it was issued")
    builder = head["builder"]
    if not 1 <= len(head["version"].encode()) <= 128 or not builder["name"] or not builder["version"]:
        raise wrong("labels", "the version label or the builder is empty or too long")
    if not ascending(head["requires"]):
        raise wrong("requires", "requires repeats features or has them out of order")
    try:
        list_of(host)(head["home_hosts"])
    except Grammar as error:
        raise wrong("home-hosts", str(error)) from None
    if not ascending(head["home_hosts"]):
        raise wrong("home-hosts", "home_hosts are repeated or out of order")
    if len(head["home_hosts"]) > 64:
        raise Refusal("E-LIMIT", "home-hosts", f"the release has {len(head['home_hosts'])} home hosts, more than 64")
    if not ascending([(entry["type"], entry["digest"]) for entry in head["documents"]]):
        raise wrong("documents", "documents are repeated or out of order")
    for entry in head["documents"]:
        if entry["size"] > DOCUMENT_BYTES[entry["type"]]:
            raise Refusal("E-LIMIT", "document-size", f"a {entry['type']} document has {entry['size']} bytes")
    carried = [entry for entry in head["documents"] if entry["type"] == "acknowledgement"]
    if carried and (len(carried) > 1 or head["audience"] == "any" or len(head["audience"]) != 1):
        raise wrong("acknowledgement", "the bundle carries several acknowledgements, or is not for exactly one site")
    sealed = [entry for entry in head["documents"] if entry["type"] == "secrets"]
    if len(sealed) > 256:
        raise Refusal("E-LIMIT", "secrets", f"the bundle carries {len(sealed)} documents of sealed secrets")
    if sealed and "secrets-1" not in requires:
        raise wrong("requires", "the release has secrets and the head does not require secrets-1")
    if head["root_version"] == 0 or head["payload_offset"] % 4096:
        raise wrong("payload-offset", "payload_offset is not a multiple of 4,096, or root_version is 0")
    volumes = head["volumes"]
    if len(volumes) > 256:
        raise Refusal("E-LIMIT", "volumes", f"the bundle has {len(volumes)} volumes")
    if not volumes or sum(volumes) != totals["chunks"] or (len(volumes) > 1 and 0 in volumes):
        raise wrong("volumes", "the volumes do not add up to the number of chunks, or one of several holds none")
    if len(head["index"]) > 256 or any(page["size"] > MIB for page in head["index"]):
        raise Refusal("E-LIMIT", "index-size", "the index has more than 256 pages or a page above 1 MiB")
    if any(page["size"] == 0 for page in head["index"]):
        raise wrong("index", "an index page is empty")
    if (totals["chunks"] > 1_000_000 or totals["blobs"] > 500_000 or totals["needs"] > 500_000
            or totals["content_bytes"] > 1_000_000 * 16 * MIB):
        raise Refusal("E-LIMIT", "totals", "the totals are above the limits")
    if totals["early_blobs"] > totals["blobs"] or totals["stored_bytes"] > totals["content_bytes"]:
        raise wrong("totals", "the totals contradict each other")
    if (len(volumes) > 1) != ("volumes-1" in requires):
        raise wrong("volumes", "volumes-1 is required where there is one volume, or not where there are several")
    return head


def chunks_of(head, volume):
    """Numbers of the first and the last chunk of a volume, all counted from 1."""
    before, held = sum(head["volumes"][:volume - 1]), head["volumes"][volume - 1]
    return before + min(1, held), before + held


def volume_of(head, lines):
    """The volume whose entry 00 this is."""
    count = len(head["volumes"])
    for volume in range(1, count + 1):
        first, last = chunks_of(head, volume)
        if lines == f"airlock-bundle 1\nvolume {volume}/{count} chunks {first}-{last}\n".encode():
            return volume
    raise Refusal("E-FORMAT", "format-lines", "entry 00 does not say what the head says")


def repair_of(head, lines):
    """Numbers of the chunks that a repair file holds alone; None for what is no repair file."""
    begin = b"airlock-bundle 1\nrepair chunks "
    if not lines.startswith(begin):
        return None
    found, next_first = [], 1
    if lines == begin + b"0-0\n":
        return found
    said = lines[len(begin):-1].decode("ascii")
    for part in said.split(","):
        match = re.fullmatch(r"([1-9][0-9]*)-([1-9][0-9]*)", part)
        first, last = (int(match[1]), int(match[2])) if match else (0, 0)
        if not next_first <= first <= last <= head["totals"]["chunks"]:
            raise Refusal("E-FORMAT", "format-lines", "entry 00 names chunks that the bundle does not have, or not as a repair file names them")
        found += range(first, last + 1)
        next_first = last + 2
    return found


# --- 6. Index and chunks ------------------------------------------------------------------------------------------

MANIFESTS = {"application/vnd.oci.image.manifest.v1+json": "manifest",
             "application/vnd.oci.image.index.v1+json": "index",
             "application/vnd.docker.distribution.manifest.v2+json": "manifest",
             "application/vnd.docker.distribution.manifest.list.v2+json": "index"}
LINES = {
    "tag": record({"kind": text(), "digest": DIGEST, "media_type": text(), "repository": text(), "size": integer},
                  {"tag": text()}),
    "absent": record({"kind": text(), "digest": DIGEST, "platform": text()}),
    "need": record({"kind": text(), "digest": DIGEST, "size": integer}, {"plain_size": integer}),
    "blob": record({"kind": text(), "digest": DIGEST, "size": integer},
                   {"encoding": lambda value: None, "media_type": text(), "travel_size": integer}),  # what it says: check_encoding
    "chunk": record({"kind": text(), "codec": one_of("none", "zstd"), "sha256": HEX64, "size": integer}),
}
ORDER = {
    "tag": lambda line: (line["repository"].encode(), line.get("tag", "").encode(), "tag" in line, line["digest"]),
    "absent": lambda line: line["digest"],
    "need": lambda line: line["digest"],
}


class Index:
    """Lines by kind; pages come one by one and only their lines are kept."""

    def __init__(self, head):
        self.head, self.lines, self.last, self.page_bytes = head, {kind: [] for kind in LINES}, ("tag", None), None
        self.plain_bytes = self.mentions = 0
        self.may_be_bases = {}  # needs, and blobs that are not early, by digest

    def page(self, data):
        if not data.endswith(b"\n"):
            raise Refusal("E-FORMAT", "index", "an index page does not end with a line feed")
        for number, raw in enumerate(data[:-1].split(b"\n")):
            if number == 0 and self.page_bytes is not None and self.page_bytes + len(raw) + 1 <= MIB:
                raise Refusal("E-FORMAT", "index", "an index page was begun before the one before it was full")
            self.line(raw)
        self.page_bytes = len(data)

    def line(self, raw):
        kind = re.search(rb'"kind":"([^"]*)', raw)
        if not kind or kind[1] not in (b"tag", b"absent", b"need", b"blob", b"chunk"):
            raise Refusal("E-FORMAT", "grammar", "an index line is of no known kind")
        kind = kind[1].decode()
        line = parse_canonical(raw, LINES[kind], "an index line")
        if line["kind"] != kind:
            raise Refusal("E-FORMAT", "grammar", "an index line is of no known kind")
        order = list(LINES)
        if order.index(kind) < order.index(self.last[0]):
            raise Refusal("E-FORMAT", "index-order", "the lines of the index are out of order")
        key = ORDER[kind](line) if kind in ORDER else None
        if kind == self.last[0] and key is not None and self.last[1] is not None and self.last[1] >= key:
            raise Refusal("E-FORMAT", "index-order", f"{kind} lines are repeated or out of order")
        self.last = (kind, key)
        if kind == "blob" and "media_type" in line and line["media_type"] not in MANIFESTS:
            raise Refusal("E-FORMAT", "media-type", f"a blob line states the media type {quoted(line['media_type'], 80)}")
        if kind == "blob":
            self.check_encoding(line)
        if kind == "need" and "plain_size" in line:
            check_plain_size(line["plain_size"], 1032 * line["size"])
        if kind == "chunk" and line["size"] > 16 * MIB:
            raise Refusal("E-LIMIT", "chunk-size", f"a chunk has {line['size']} stored bytes")
        self.lines[kind].append(line)
        if kind == "need" or kind == "blob" and len(self.lines["blob"]) > self.head["totals"]["early_blobs"]:
            self.may_be_bases.setdefault(line["digest"], line)
        if kind in ("tag", "absent") and len(self.lines[kind]) > 100_000:
            raise Refusal("E-LIMIT", "lines", f"the index has more than 100,000 {kind} lines")
        for kind, total in (("blob", "blobs"), ("chunk", "chunks"), ("need", "needs")):
            if len(self.lines[kind]) > self.head["totals"][total]:
                raise Refusal("E-FORMAT", "totals", "the index has more lines than the head states")

    def check_encoding(self, line):
        """M-141 to M-145, in this order."""
        if "encoding" not in line and "travel_size" not in line:
            return
        if "encoding" not in line or "travel_size" not in line:
            raise Refusal("E-FORMAT", "encoding", "a blob line states its encoding without its travel size, or the other way round")
        check_encoding_members(line["encoding"])
        bases = line["encoding"].get("bases")
        producer, needed = line["encoding"].get("producer"), {"encoding-1"} if bases is None else {"delta-1", "encoding-1"}
        if producer:
            needed.add(f"gzip-{producer}")
        if "media_type" in line or len(self.lines["blob"]) < self.head["totals"]["early_blobs"]:
            raise Refusal("E-FORMAT", "encoding", "a manifest, config or document is encoded")
        if not 1 <= line["travel_size"] < line["size"]:
            raise Refusal("E-FORMAT", "travel-size", "a travel form has no bytes, or not fewer than its blob")
        if needed - set(self.head["requires"]):
            raise Refusal("E-FORMAT", "requires", "the index uses a feature that the head does not require")
        plain = plain_size(line)
        check_plain_size(plain, 1032 * line["size"] if producer else 1 << 36)
        self.plain_bytes += plain
        if self.plain_bytes > 16 << 40:
            raise Refusal("E-LIMIT", "plain-size", "the plains of all encoded blobs have more than 16 TiB")
        if bases is None:
            return
        self.mentions += len(bases)
        if not 1 <= len(bases) <= verify_delta.BASES or len(set(bases)) < len(bases) or self.mentions > verify_delta.MENTIONS:
            raise Refusal("E-LIMIT", "bases", "a blob mentions no base, a base twice, or too many")
        if any(base not in self.may_be_bases for base in bases):
            raise Refusal("E-FORMAT", "base", "a base is neither needed nor a layer that stands before its blob")
        if sum(base_plain_size(self.may_be_bases[base]) for base in bases) > verify_delta.PLAINS:
            raise Refusal("E-LIMIT", "plain-size", "the plains of the bases of a blob have more than 128 GiB")

    def finish(self):
        totals, lines = self.head["totals"], self.lines
        found = {"blobs": len(lines["blob"]), "chunks": len(lines["chunk"]), "needs": len(lines["need"]),
                 "content_bytes": sum(line["size"] for line in lines["blob"]),
                 "stored_bytes": sum(line["size"] for line in lines["chunk"])}
        if any(totals[name] != value for name, value in found.items()):
            raise Refusal("E-FORMAT", "totals", "the totals of the head are not those of the index")
        encodings = [line["encoding"] for line in lines["blob"] if "encoding" in line]
        self.bases = {base for encoding in encodings for base in encoding.get("bases", [])}
        if any("plain_size" in line and line["digest"] not in self.bases for line in lines["need"]):
            raise Refusal("E-FORMAT", "base", "a needed blob states a plain size and is nobody's base")
        self.check_base_work()
        sizes = [line.get("travel_size", line["size"]) for line in lines["blob"]]
        self.plain = list(cut(sizes, totals["early_blobs"], self.head["chunk_bytes"]))
        uncompressed = pieces(lines["blob"], totals["early_blobs"], self.head["chunk_bytes"])
        for number, (plain, chunk) in enumerate(zip(self.plain, lines["chunk"])):
            if not (chunk["size"] == plain if chunk["codec"] == "none" else 0 < chunk["size"] < plain):
                raise Refusal("E-FORMAT", "chunk-size", "the stored size of a chunk does not fit its plain size and codec")
            if number in uncompressed and chunk["codec"] != "none":
                raise Refusal("E-FORMAT", "chunk-codec", "a piece of an encoded blob is compressed once more")
        if len(self.plain) != len(lines["chunk"]):
            raise Refusal("E-FORMAT", "cut", "the index lists another number of chunks than its blobs make")
        used = {"encoding-1" for _ in encodings} | {"delta-1" for value in encodings if "bases" in value} | {f"gzip-{value['producer']}" for value in encodings if "producer" in value}
        for feature in OF_INDEX:
            if feature in self.head["requires"] and feature not in used:
                raise Refusal("E-FORMAT", "requires", f"the head requires {feature}, and nothing uses it")


    def check_base_work(self):
        """M-162: what inflates, each base once, against what is made over bases; and the last blob that names each."""
        copied = [line for line in self.lines["blob"] if "bases" in line.get("encoding", {})]
        self.last_user = {base: line["digest"] for line in copied for base in line["encoding"]["bases"]}
        inflated = sum(base_plain_size(self.may_be_bases[base]) for base in self.last_user if inflates(self.may_be_bases[base]))
        if inflated > 64 * sum(map(plain_size, copied)) + (1 << 34):
            raise Refusal("E-LIMIT", "base-work", f"the bases of the bundle inflate to {inflated} bytes")


def check_encoding_members(value):
    """M-141: the members of each form, none else."""
    def odd(found):
        return Refusal("E-FORMAT", "encoding", f"the encoding of a blob line {found}")

    def is_digest(text):
        return isinstance(text, str) and bool(re.fullmatch("sha256:[0-9a-f]{64}", text, re.ASCII))

    form = value.get("form") if isinstance(value, dict) else None
    known = {"plain": {"bases", "form"}, "gzip": {"bases", "form", "plain_digest", "plain_size", "producer"}}
    if not isinstance(form, str) or form not in known:
        raise odd("names no form that is known")
    if set(value) - known[form]:
        raise odd("has a member that its form does not")
    if "bases" in value and not (isinstance(value["bases"], list) and all(map(is_digest, value["bases"]))):
        raise odd("has bases that are no digests")
    if form == "gzip":
        size, producer = value.get("plain_size"), value.get("producer")
        if type(size) is not int or not 0 <= size <= INTEGER_MAX or not is_digest(value.get("plain_digest")) or not isinstance(producer, str):
            raise odd("lacks what its form needs")
        if producer not in verify_recipe.PRODUCERS:
            raise odd("names a producer that is not known")


def plain_size(line):
    return line["encoding"].get("plain_size", line["size"])


def base_plain_size(line):
    """Bytes of what is copied from a need or blob."""
    return plain_size(line) if "encoding" in line else line.get("plain_size", line["size"])


def inflates(line):
    """Whether what is copied from a need or blob is what is compressed in it."""
    return "producer" in line["encoding"] if "encoding" in line else "plain_size" in line


def check_plain_size(size, most=1 << 36):
    if not 1 <= size <= min(most, 1 << 36):
        raise Refusal("E-LIMIT", "plain-size", f"a plain has {size} bytes")


def pieces(blobs, early, chunk_bytes):
    """The chunks, from 0, that hold one piece of an encoded blob: as `cut`."""
    found, number, plain = set(), 0, 0
    for at, line in enumerate(blobs):
        size = line.get("travel_size", line["size"])
        if plain and (at == early or plain + size > chunk_bytes):
            number, plain = number + 1, 0
        if size <= chunk_bytes:
            plain += size
            continue
        count = -(-size // chunk_bytes)
        if "encoding" in line:
            found.update(range(number, number + count))
        number += count
    return found


def cut(sizes, early, chunk_bytes):
    """The cut rule: the plain size of every chunk follows from the sizes of the blobs."""
    plain = 0
    for number, size in enumerate(sizes):
        if plain and (number == early or plain + size > chunk_bytes):
            yield plain
            plain = 0
        if size > chunk_bytes:
            while size:
                yield min(size, chunk_bytes)
                size -= min(size, chunk_bytes)
        else:
            plain += size
    if plain:
        yield plain


def odd_frame(found):
    return Refusal("E-FORMAT", "non-canonical-frame", found)


def frame_header(frame):
    """Return window (or None), content size, and where the blocks begin."""
    odd = odd_frame
    if len(frame) < 5 or frame[:4] != b"\x28\xb5\x2f\xfd":
        raise odd("the chunk does not begin with a zstd frame")
    descriptor, at = frame[4], 5
    single, size_flag = bool(descriptor & 0x20), descriptor >> 6
    if descriptor & 0x1f:
        raise odd("the frame's header sets bits for a dictionary, a checksum, or nothing")
    window = None
    if not single:
        if len(frame) < 6:
            raise odd("the frame's header is cut")
        base = 1 << (10 + (frame[5] >> 3))
        window, at = base + base // 8 * (frame[5] & 7), 6
    length = (1 if single else 0, 2, 4, 8)[size_flag]
    if length == 0:
        raise odd("the frame does not state its content size")
    if len(frame) < at + length:
        raise odd("the frame's header is cut")
    content = int.from_bytes(frame[at:at + length], "little") + (256 if size_flag == 1 else 0)
    return window, content, at + length


def check_frame(frame, plain, decoded=True):
    """RFC 8878, 3.1.1: exactly one frame, content size stated, no dictionary, no checksum, window at most 8 MiB. What stands in its
    blocks is looked at where they are decoded."""
    odd = odd_frame
    window, content, at = frame_header(frame)
    if (window or content) > 8 * MIB:
        raise Refusal("E-LIMIT", "window", "a zstd frame wants a window above 8 MiB")
    if content != plain:
        raise odd("the frame's content size is not the one that follows from the index")
    last = False
    while not last:  # blocks: last flag, two bits type, 21 bits size; type 1 repeats one byte, type 3 is reserved
        block = int.from_bytes(frame[at:at + 3], "little")
        last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
        begin, at = at + 3, at + 3 + (1 if kind == 1 else size)
        if kind == 3 or at > len(frame):
            raise Refusal("E-INTEGRITY", "frame", "the blocks of a frame do not add up")
        if decoded and kind == 2 and size and reserved_modes(frame[begin:at]):
            raise Refusal("E-INTEGRITY", "frame", "a block sets reserved bits of its sequences")
    if at != len(frame):
        raise odd("something follows the frame")


def reserved_modes(block):
    """RFC 8878, 3.1.1.3.2.1: the two lowest bits of the symbol compression modes are zero. Commands before zstd 1.5.6 do not look."""
    form, sizes = block[0] & 3, block[0] >> 2 & 3
    if form < 2:  # raw, or one byte that repeats
        head = (1, 2, 1, 3)[sizes]
        length = int.from_bytes(block[:head], "little") >> (4 if head > 1 else 3)
        length = length if form == 0 else 1
    else:  # two sizes, of what comes out and of what stands here
        head, bits = ((3, 10), (3, 10), (4, 14), (5, 18))[sizes]
        length = int.from_bytes(block[:head], "little") >> (4 + bits) & ((1 << bits) - 1)
    after = block[head + length:]
    if not after or after[0] == 0:  # no sequences
        return False
    modes = after[1 if after[0] < 128 else 2 if after[0] < 255 else 3:]
    return bool(modes) and modes[0] & 3 != 0


def check_record_frame(frame, plain, decoded=True):
    check_frame(frame, plain, decoded)
    if not frame[4] & 0x20:
        raise Refusal("E-FORMAT", "non-canonical-frame", "the frame of a record is no single segment")


def decompress(frame, plain, prefix=None):
    """Decode with the command `zstd`; never more than one byte beyond the expected size is taken. With a prefix: a record's frame."""
    check_frame(frame, plain)
    if prefix is not None:
        check_record_frame(frame, plain)
    with tempfile.TemporaryFile() as stored, tempfile.NamedTemporaryFile() as before:
        stored.write(frame)
        stored.seek(0)
        before.write(prefix or b"")
        before.flush()
        patch = [f"--patch-from={before.name}"] if prefix else []
        with subprocess.Popen(["zstd", "-dcq", *patch], stdin=stored, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            data = process.stdout.read(plain + 1)
            if len(data) > plain:
                process.kill()
    if len(data) != plain or process.returncode != 0:
        raise Refusal("E-INTEGRITY", "frame", "a chunk under a good hash does not decode to its size")
    return data


# --- 18. Encodings ------------------------------------------------------------------------------------------------

class Restorer:
    """Makes a blob of its travel form, as it comes: M-148 to M-151; of a gzip layer its plain, and the blob where that can be said here.

    `sizes` are those of the plains of its bases, if it has any; `bases` reads them, or is None where they are not at hand: then everything
    is judged that its own bytes allow, and nothing is made (M-171)."""

    RECORD, GROUP, PREFIX = 4 * MIB, 64 * MIB, 8 * MIB

    def __init__(self, line, rebuild=False, sizes=None, bases=None, out=None):
        self.out, self.line, self.encoding, self.left = out, line, line["encoding"], line["travel_size"]
        self.size = plain_size(line)
        self.producer = self.encoding.get("producer")
        self.sizes, self.bases = sizes, bases
        self.made, self.waiting, self.body = 0, b"", None
        self.begun, self.script, self.literals = 0, None, b""  # of groups that have scripts
        self.group_left = 0  # literals that did not come, of this group
        self.before, self.state, self.recipe = b"", hashlib.sha256(), None
        quick = self.size <= verify_recipe.QUICK or rebuild
        self.kept = bytearray() if self.producer and quick and verify_recipe.makes(self.producer) else None

    def awaits(self):
        """What the next record is: ("recipe", None), ("script", None), ("literal", its plain bytes); None behind the last one."""
        if self.producer and self.recipe is None:
            return "recipe", None
        if self.sizes is None:
            return ("literal", min(self.RECORD, self.size - self.made)) if self.made < self.size else None
        if self.group_left:
            return "literal", min(self.RECORD, self.group_left)
        return ("script", None) if self.begun < self.size else None

    def push(self, data):
        self.waiting += data
        while self.waiting:
            awaited = self.awaits()
            if awaited is None:
                raise self.odd("more than its records")
            kind, plain = awaited
            if self.body is None:
                if len(self.waiting) < 4:
                    return
                self.body = self.head(int.from_bytes(self.waiting[:4], "little"), plain)
                self.waiting, self.left = self.waiting[4:], self.left - 4
            raw, length = self.body
            if len(self.waiting) < length:
                return
            body, self.waiting, self.left = self.waiting[:length], self.waiting[length:], self.left - length
            self.body = None
            if kind == "recipe":
                self.recipe = self.judged(self.words(body, raw, "recipe", verify_recipe.RECIPE))
            elif kind == "script":
                self.begin(self.words(body, raw, "script", verify_delta.SCRIPT))
            elif self.sizes is None:
                if self.made % self.GROUP == 0:
                    self.before = b""
                self.take(self.decoded(body, raw, plain, self.before))
            else:
                self.literal(body, raw, plain)

    def decoded(self, body, raw, plain, prefix):
        made = body if raw else decompress(body, plain, prefix)
        self.before = (self.before + made)[-self.PREFIX:]
        return made

    def take(self, made):
        self.state.update(made)
        if self.out:
            self.out.write(made)
        if self.kept is not None:
            self.kept += made
        self.made += len(made)

    def begin(self, data):
        """A group begins: M-158."""
        plain = min(self.GROUP, self.size - self.begun)
        try:
            self.group_left, prefixes, operations = verify_delta.judge(data, plain, self.sizes)
        except verify_delta.Fault as fault:
            raise Refusal("E-FORMAT", "script", f"a script has {fault}") from None
        except verify_delta.TooMuch as much:
            raise Refusal("E-LIMIT", "ranges", f"in front of a record stand {much}") from None
        self.begun, self.script, self.literals, self.before = self.begun + plain, (prefixes, operations), b"", b""
        if not self.group_left:
            self.copy()

    def literal(self, body, raw, plain):
        ranges = self.script[0].pop(0)
        self.group_left -= plain
        if self.bases is None:
            if not raw:
                check_record_frame(body, plain, decoded=False)
            return
        prefix = b"".join(self.bases[base].read(offset, size) for base, offset, size in ranges) if ranges else self.before
        self.literals += self.decoded(body, raw, plain, prefix)
        if not self.group_left:
            self.copy()

    def copy(self):
        """What a group is made of, once its literals are there."""
        if self.bases is None:
            return
        try:
            for part in verify_delta.apply(self.script[1], self.literals, self.bases):
                self.take(part)
        except verify_delta.NoHead:
            raise Refusal("E-INTEGRITY", "script-head", "what a script takes for the head of a tar member is none") from None

    def head(self, word, plain):
        """What a record's head says; `plain` is None for a recipe or script, whose size is not known yet."""
        raw, length = bool(word >> 31), word & 0x7fff_ffff
        fits = plain is None or (length == plain if raw else length < plain)
        if not 1 <= length <= self.RECORD or length > self.left - 4 or not fits:
            raise self.odd(f"a record of {length} bytes")
        return raw, length

    def words(self, body, raw, noun, most):
        """A recipe or script: its size, its frame."""
        size = len(body) if raw else frame_header(body)[1]
        if not 1 <= size <= most:
            raise Refusal("E-LIMIT", f"{noun}-size", f"a {noun} of {size} bytes")
        if not raw and len(body) >= size:
            raise self.odd(f"a frame of {len(body)} bytes for a {noun} of {size}")
        return body if raw else decompress(body, size, b"")

    def judged(self, data):
        """The operations of a recipe: its grammar."""
        try:
            return verify_recipe.judge(data, self.producer, self.size, self.line["size"])
        except verify_recipe.Fault as fault:
            raise Refusal("E-FORMAT", "recipe", f"a recipe has {fault}") from None
        except verify_recipe.Work:
            raise Refusal("E-LIMIT", "rebuild-work", "the starts of a recipe are more work than its plain allows") from None

    @staticmethod
    def odd(found):
        return Refusal("E-FORMAT", "travel", f"a travel form holds {found}")

    def is_made(self):
        return self.sizes is None or self.bases is not None

    def finish(self):
        """The digest of the blob; None of one that was not made, or of a gzip layer that is not proven here to be the one of its plain."""
        if self.awaits() is not None:
            raise self.odd("fewer records than its plain has")
        if not self.is_made():
            return None
        made = "sha256:" + self.state.hexdigest()
        if not self.producer:
            return made
        if made != self.encoding["plain_digest"]:
            raise Refusal("E-INTEGRITY", "plain-digest", f"the plain of {self.line['digest']} is other content")
        if self.kept is not None and verify_recipe.rebuild(self.recipe, self.producer, bytes(self.kept)) == self.line["digest"]:
            return self.line["digest"]
        return None


class Part:
    """A part of a file: a blob that is kept, or the plain of a gzip layer."""

    def __init__(self, file, start, size, is_plain=False):
        self.file, self.start, self.size, self.is_plain = file, start, size, is_plain

    def read(self, offset, count):
        self.file.seek(self.start + offset)
        return self.file.read(max(0, min(count, self.size - offset)))


def plain_of(line, found):
    """M-161: the plain of a base that was proven: itself, or what it inflates to where its line says so."""
    if "encoding" in line or "plain_size" not in line:
        return found
    size, out, made = line["plain_size"], tempfile.TemporaryFile(), 0
    wrong = Refusal("E-INTEGRITY", "base-plain", f"{line['digest']} is no gzip file with {size} bytes of plain")
    if found.is_plain:
        if found.size != size:
            raise wrong
        return found
    inflater, data, at = zlib.decompressobj(31), found.read(0, MIB), MIB
    try:
        while data:
            part = inflater.decompress(data, MIB)
            made += len(part)
            if made > size:
                raise wrong
            out.write(part)
            data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            if not data:
                data, at = found.read(at, MIB), at + MIB
            if inflater.eof and data:
                inflater = zlib.decompressobj(31)
    except zlib.error:
        raise wrong from None
    if made != size or not inflater.eof:
        raise wrong
    return Part(out, 0, size)


class Kept:
    """What is proven of the blobs of a bundle, to copy from: blobs, and plains of gzip layers, one after the other in a file; all of them, or
    those that others of the same bundle are copied from."""

    def __init__(self, everything=False):
        self.file, self.end, self.size, self.parts = tempfile.TemporaryFile(), 0, 0, {}
        self.everything, self.lines, self.wanted = everything, {}, set()

    def begin(self, index):
        self.lines = {line["digest"]: line["size"] for line in index.lines["blob"]}
        self.wanted = self.lines if self.everything else self.lines.keys() & index.last_user.keys()

    def write(self, data):
        self.file.seek(self.end + self.size)
        self.file.write(data)
        self.size += len(data)

    def keep(self, digest, is_plain):
        self.parts[digest] = Part(self.file, self.end, self.size, is_plain)
        self.end, self.size = self.end + self.size, 0


class Whole:
    """A blob that travels as it is."""

    def __init__(self, out=None):
        self.state, self.out = hashlib.sha256(), out

    def push(self, data):
        self.state.update(data)
        if self.out:
            self.out.write(data)

    def finish(self):
        return "sha256:" + self.state.hexdigest()


# --- 7. Content ---------------------------------------------------------------------------------------------------

def content(code, found):
    return Refusal("E-CONTENT", code, found)


def parse_document(data, media_type, any_layer):
    """Return (descriptors by role, subject, bytes of annotations) of a document that was referred to as `media_type`."""
    try:
        document = load_oci(data)
        OCI_DOCUMENT(document)
    except (ValueError, RecursionError) as error:
        raise content("manifest", f"a manifest does not parse: {str(error)[:200]}") from None
    stated = document.get("mediaType")
    if stated is not None and stated != media_type:
        raise content("ambiguous", f"a manifest says it is {quoted(stated, 80)} but is referred to as {quoted(media_type)}")
    if MANIFESTS[media_type] == "manifest" and "layers" in document and document["layers"] is None:
        document["layers"] = []
    has = {name for name in ("config", "layers", "manifests", "fsLayers") if document.get(name) is not None}
    fits = has == {"manifests"} if MANIFESTS[media_type] == "index" else has and has <= {"config", "layers"}
    if document.get("schemaVersion") != 2 or not fits:
        raise content("ambiguous", f"a document referred to as {media_type} does not have that shape")
    if MANIFESTS[media_type] == "manifest" and has != {"config", "layers"}:
        raise content("manifest", "a manifest lacks its config or its layers")
    lists = {name: document[name] for name in ("layers", "manifests") if name in has}
    for value in lists.values():
        if len(value) > 10_000:
            raise Refusal("E-LIMIT", "descriptors", f"a document refers to {len(value)} others")
    edges = [("config", check_descriptor(document["config"]))] if "config" in has else []
    edges += [("layer", check_descriptor(item, any_layer)) for item in lists.get("layers", [])]
    edges += [("child", check_descriptor(item)) for item in lists.get("manifests", [])]
    for role, descriptor in edges:
        if role == "child" and descriptor["mediaType"] not in MANIFESTS:
            raise content("media-type", f"an index refers to {descriptor['digest']} as {quoted(descriptor['mediaType'], 80)}")
    subject = document.get("subject")
    kind = document.get("artifactType")
    if kind is None and "config" in has:
        kind = document["config"]["mediaType"]
    about = json.dumps(document.get("annotations") or {}, ensure_ascii=False, separators=(",", ":")) + (kind or "")
    return edges, None if subject is None else check_descriptor(subject), len(about.encode())


def typed(required, optional):
    """An object whose members, where they stand, have these types; others may stand too, and null is a member left out."""
    shapes = {**required, **optional}

    def check(value):
        if not isinstance(value, dict):
            raise Grammar(f"{quoted(value, 40)} is not an object")
        for name in required:
            if value.get(name) is None:
                raise Grammar(f"the member {quoted(name)} is missing")
        for name, shape in shapes.items():
            if value.get(name) is not None:
                shape(value[name])
    return check


def texts(value):
    if not isinstance(value, dict) or not all(isinstance(member, str) for member in value.values()):
        raise Grammar(f"{quoted(value, 40)} is not an object of strings")


PLATFORM = typed({"architecture": text(), "os": text()}, {
    "features": list_of(text()), "os.features": list_of(text()), "os.version": text(), "variant": text()})
DESCRIPTOR = typed({"digest": text(), "mediaType": text(), "size": integer}, {
    "annotations": texts, "artifactType": text(), "data": text(), "platform": PLATFORM, "urls": list_of(text())})
OCI_DOCUMENT = typed({}, {
    "annotations": texts, "artifactType": text(), "config": DESCRIPTOR, "layers": list_of(DESCRIPTOR),
    "manifests": list_of(DESCRIPTOR), "mediaType": text(), "schemaVersion": integer, "subject": DESCRIPTOR})
KNOWN = ("annotations", "architecture", "artifactType", "config", "data", "digest", "features", "fsLayers", "layers",
         "manifests", "mediaType", "os", "os.features", "os.version", "platform", "schemaVersion", "size", "subject",
         "urls", "variant")


def fold(name):
    """As parsers do that do not tell case apart."""
    return "".join(c.lower() if c < "\x80" else {"\u017f": "s", "\u212a": "k"}.get(c, c) for c in name)


FOLDED = {fold(name): name for name in KNOWN}


def load_oci(data):
    """JSON that every parser reads alike: first the text as a whole, then the names of members, then digests."""
    def members(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise Grammar("a member stands twice")
        return dict(pairs)

    def number(text):
        if len(text) > 32 or len(re.sub(r"[^0-9]", "", re.split("[eE]", text + "e")[1])) > 2:
            raise Grammar(f"parsers read the number {text[:40]} differently")
        return int(text) if re.fullmatch("0|-?[1-9][0-9]*", text, re.ASCII) else float(text)

    def refuse(text):
        raise Grammar(f"{text} is not JSON")

    document = json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_int=number, parse_float=number, parse_constant=refuse)
    ambiguous, wrong_digest, stack = None, None, [(document, 1, False)]
    while stack:
        value, depth, free = stack.pop()
        if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
            raise Grammar("a string holds half of a surrogate pair")
        if depth > 127 and isinstance(value, (dict, list)):
            raise Grammar("nested too deep")
        for name, member in value.items() if isinstance(value, dict) else ():
            stack += [(name, depth, False), (member, depth + 1, not free and name == "annotations")]
            if not free and FOLDED.get(fold(name), name) != name:
                ambiguous = name
            if not free and name == "digest" and isinstance(member, str) and not re.fullmatch(r"sha256:[0-9a-f]{64}", member, re.ASCII):
                wrong_digest = member
        for member in value if isinstance(value, list) else ():
            stack.append((member, depth + 1, False))
    if ambiguous is not None:
        raise content("ambiguous", f"the member {quoted(ambiguous, 80)} differs from {quoted(FOLDED[fold(ambiguous)])} by case only")
    if wrong_digest is not None:
        raise content("digest", f"a descriptor names content by {quoted(wrong_digest, 80)}")
    return document


def is_elsewhere(value):
    return bool(value.get("urls")) or "nondistributable" in value["mediaType"] or "foreign" in value["mediaType"]


def check_descriptor(value, any_layer=False):
    digest, size, kind = value["digest"], value["size"], value["mediaType"]
    if value.get("urls") and not any_layer:
        raise content("urls", f"the descriptor of {digest} sends clients to other addresses")
    if ("nondistributable" in kind or "foreign" in kind) and not any_layer:
        raise content("nondistributable", f"{digest} is a non-distributable layer ({quoted(kind, 80)})")
    if value.get("data") is not None:
        try:
            base64_text(value["data"])
            data = base64.b64decode(value["data"])
        except Grammar:
            data = None
        if data is None or len(data) != size or "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise content("data", f"the data embedded in the descriptor of {digest} is other content")
    return value


def platform_of(descriptor):
    platform = descriptor.get("platform")
    if platform is None:
        return None
    return "/".join(platform[name] for name in ("os", "architecture", "variant") if platform.get(name) is not None)


def stated_plains(data):
    """The `diff_ids` of an image's config (OCI image-spec, config.md), or nothing where it is none."""
    try:
        found = json.loads(data)["rootfs"]["diff_ids"]
        return [one for one in found if isinstance(one, str)] if isinstance(found, list) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


class Content:
    """The reference graph, judged as one whole when every early blob is in."""

    def __init__(self, index, head):
        self.tags, self.absent = index.lines["tag"], index.lines["absent"]
        self.blobs, self.needs, self.head = index.lines["blob"], index.lines["need"], head
        self.bases = index.bases
        self.place, self.nodes, self.reached = {}, {}, {}
        self.held = self.followed = self.annotation_bytes = 0
        self.used = set()
        self.plains = {line["digest"]: line["encoding"]["plain_digest"] for line in self.blobs
                       if "plain_digest" in line.get("encoding", {})}
        self.images, self.diff_ids = [], {}
        for kind in ("blob", "need", "absent"):
            for number, line in enumerate(index.lines[kind]):
                if line["digest"] in self.place:
                    raise content("repeated-digest", f"{line['digest']} stands in more than one line of the index")
                self.place[line["digest"]] = (kind, number, line)
        states = [entry for entry in head["documents"] if entry["type"] == "desired-state"]
        if len(states) > 1:
            raise content("desired-state", "the release has two desired states")
        self.state_entry, self.state = (states or [None])[0], None
        for line in self.blobs:
            if "media_type" in line and line["size"] > 4 * MIB:
                raise Refusal("E-LIMIT", "manifest-size", f"a manifest has {line['size']} bytes")

    def is_sealed(self, line):
        return any((entry["type"], entry["digest"], entry["size"]) == ("secrets", line["digest"], line["size"])
                   for entry in self.head["documents"])

    def is_state(self, line):
        entry = self.state_entry
        return entry is not None and (entry["digest"], entry["size"]) == (line["digest"], line["size"])

    def reads(self, line):
        """Whether the bytes of a blob are needed: of manifests, indexes, the desired state and sealed secrets, and of what may be a config."""
        config = bool(self.plains) and "encoding" not in line and line["size"] <= 4 * MIB
        return "media_type" in line or self.is_state(line) or self.is_sealed(line) or config

    def add(self, line, data):
        """Take the bytes of a blob that `reads` asks for, whose digest was compared before; of manifests keep the references only."""
        if self.is_state(line):
            self.state = parse_state(data)
            check_derived(self.state, self.head)
            check_rendered(self.state, self.head)
            if any("secrets" in one for target in self.state["targets"] for one in target["deployments"]):
                self.used.add("secrets-1")
        if self.is_sealed(line):
            check_sealed(data)
            self.used.add("secrets-1")
        if "media_type" not in line:
            self.diff_ids[line["digest"]] = stated_plains(data)
            return
        edges, subject, about = parse_document(data, line["media_type"], "nondistributable-layers-1" in self.head["requires"])
        if any(is_elsewhere(descriptor) for role, descriptor in edges if role == "layer"):
            self.used.add("nondistributable-layers-1")
        self.held = self.count_edges(self.held, 1 + sum(role != "config" for role, _ in edges))
        kept = {}
        layers = [descriptor["digest"] for role, descriptor in edges if role == "layer"]
        if any(layer in self.plains for layer in layers):
            self.images.append(([descriptor["digest"] for role, descriptor in edges if role == "config"], layers))
        for role, descriptor in edges:
            self.edge(role, descriptor["digest"], descriptor["size"], descriptor["mediaType"], platform_of(descriptor))
            kept[role, descriptor["digest"]] = None
        if subject:
            if subject["digest"] not in self.place and "missing-subjects-1" in self.head["requires"]:
                self.used.add("missing-subjects-1")
            else:
                kind, _, target = self.place.get(subject["digest"]) or self.unlisted("subject", subject["digest"])
                if kind != "blob" or (target["size"], target.get("media_type")) != (subject["size"], subject["mediaType"]):
                    raise content("subject", f"the subject {subject['digest']} is not carried as the manifest it is said to be")
            self.annotation_bytes += about
            if self.annotation_bytes > 16 * MIB:
                raise Refusal("E-LIMIT", "annotations", "the annotations of what has a subject are larger than 16 MiB")
        self.nodes[line["digest"]] = (list(kept), subject and subject["digest"])

    def compared_plains(self):
        """Of how many layers that travel by their plain the image's config states that very plain: what an engine compares when it unpacks."""
        layers = equal = 0
        for configs, digests in self.images:
            stated = next((self.diff_ids[config] for config in configs if self.diff_ids.get(config)), [])
            for place, digest in enumerate(digests):
                if digest in self.plains:
                    layers += 1
                    equal += place < len(stated) and stated[place] == self.plains[digest]
        return {"layers": layers, "equal": equal}

    @staticmethod
    def count_edges(edges, more):
        if edges + more > 4_000_000:
            raise Refusal("E-LIMIT", "edges", "the release has more than 4,000,000 references")
        return edges + more

    def check(self):
        early, late = set(), set()
        for document in self.head["documents"]:
            kind, number, line = self.place.get(document["digest"], (None, None, {}))
            if kind != "blob" or line["size"] != document["size"]:
                raise content("unlisted", f"the document {document['digest']} is not carried")
            early.add(document["digest"])
        used = self.walk(early, late)
        for number, line in enumerate(self.blobs):
            digest = line["digest"]
            if digest not in early and digest not in late:
                raise content("unreachable", f"{digest} is carried but nothing refers to it")
            if (digest in early) != (number < self.head["totals"]["early_blobs"]):
                raise content("early", f"{digest} stands in the wrong part of the payload")
        for line in self.needs + self.absent:
            if line["digest"] not in used and line["digest"] not in self.bases:
                raise content("unreachable", f"{line['digest']} is listed but nothing refers to it")
        for feature in self.head["requires"]:
            if feature not in self.used and feature not in (*OF_INDEX, "volumes-1"):  # those are judged with index and head
                raise content("requires", f"the head requires {feature}, and nothing in the release needs it")
        self.check_state()

    def check_state(self):
        """The desired state and the release name each other's documents, and every image and chart is there."""
        if self.state_entry is not None and self.state is None:
            raise content("desired-state", "the desired state was not carried as a document")
        state = self.state or {"agents": [], "targets": []}
        deployments = [one for target in state["targets"] for one in target["deployments"]]
        named = {name for one in deployments for name in documents_of(one)}
        carried = {(entry["type"], entry["digest"]) for entry in self.head["documents"]
                   if entry["type"] in ("compose", "env", "values")}
        for kind, digest in named ^ carried:
            raise content("desired-state", f"the {kind} document {digest} is not both named and carried")
        sealed = any(entry["type"] == "secrets" for entry in self.head["documents"])
        if "secrets-1" not in self.head["requires"] and (sealed or any("secrets" in one for one in deployments)):
            raise Refusal("E-FORMAT", "requires", "the release has secrets and the head does not require secrets-1")
        charts = {(line["repository"], line["tag"]): line["digest"] for line in self.tags if "tag" in line}
        images = [agent[kind] for agent in state["agents"] for kind in ("autoheal", "docker", "kubernetes") if kind in agent]
        for one in deployments:
            images += one["images"]
            if "helm" in one:
                chart = charts.get((one["helm"]["chart"], one["helm"]["tag"]))
                if chart is None or {"digest": chart, "repository": one["helm"]["chart"]} not in one["images"]:
                    raise content("image", f"the chart {one['helm']['chart']}:{one['helm']['tag']} is not carried or not listed")
        for image in images:
            if image["digest"] not in self.reached.get(image["repository"], ()):
                raise content("image", f"{image['repository']}@{image['digest']} is needed and not carried")

    def unlisted(self, role, digest):
        raise content("unlisted", f"the {role} {digest} is neither carried nor listed")

    def edge(self, role, digest, size, media_type, platform):
        kind, _, line = self.place.get(digest) or self.unlisted(role, digest)
        if kind == "absent" and role == "child":
            if platform != line["platform"]:
                raise content("absent-platform", f"{digest} is listed as absent for another platform than its own")
        elif kind == "absent" or (kind == "need" and role != "layer"):
            raise content("not-carried", f"the {role} {digest} must travel in the bundle and does not")
        elif line["size"] != size:
            raise content("size", f"{digest} has {line['size']} bytes but is referred to with {size}")
        elif role == "child" and line.get("media_type") != media_type:
            raise content("ambiguous", f"{digest} is referred to as {quoted(media_type, 80)} but carried as something else")
        elif role != "child" and "media_type" in line:
            raise content("ambiguous", f"{digest} is used both as a manifest and as a {role}")

    def walk(self, early, late):
        """From every name down; returns the needs and absent children that were met."""
        used, seen_names, repositories = set(), set(), {}
        for line in self.tags:
            try:
                repository(line["repository"])
                if "tag" in line:
                    TAG(line["tag"])
            except Grammar as error:
                raise content("name", str(error)) from None
            own = "files.airlock.internal/{domain}/{product}/{channel}/".format(**self.head)
            if line["repository"].startswith("files.airlock.internal/") and not line["repository"].startswith(own):
                raise content("file-name", f"{line['repository']} is the name of another's plain file")
            name = (line["repository"], line.get("tag"))
            if name[1] is not None and name in seen_names:
                raise content("tag-twice", f"{name[0]}:{name[1]} stands for two digests")
            seen_names.add(name)
            kind, _, target = self.place.get(line["digest"], (None, None, {}))
            if kind != "blob" or (target["size"], target.get("media_type")) != (line["size"], line["media_type"]):
                raise content("name-target", f"{line['digest']} is named but not carried as the manifest it is said to be")
            repositories.setdefault(line["repository"], []).append(line)
        level = {line["digest"] for line in self.tags}
        for depth in range(1, 6):  # all names at once, each document once a level
            if level and depth == 5:
                raise Refusal("E-LIMIT", "nesting", "documents are nested deeper than 4")
            early |= level
            if level - self.nodes.keys():
                raise content("unlisted", "a manifest stands behind the early blobs and was not read")
            edges = [edge for digest in level for edge in self.nodes[digest][0]]
            level = {target for role, target in edges if role == "child" and self.place[target][0] == "blob"}
            early.update(target for role, target in edges if role == "config")
            late.update(target for role, target in edges if role == "layer" and self.place[target][0] == "blob")
            used.update(target for _, target in edges if self.place[target][0] != "blob")
        lines, pairs = len(self.tags) + len(self.needs) + len(self.blobs), 0
        for name, of_one in repositories.items():
            found, absent, stack = set(), set(), [line["digest"] for line in of_one]
            while stack:
                digest = stack.pop()
                if digest in found:
                    continue
                found.add(digest)
                edges = self.nodes[digest][0]
                self.followed = self.count_edges(self.followed, 1 + len(edges))
                for role, target in edges:
                    if role != "child":
                        found.add(target)
                    elif self.place[target][0] == "blob":
                        stack.append(target)
                    else:
                        absent.add(target)
                if pairs + len(found) > 100_000 + 4 * lines:
                    raise Refusal("E-LIMIT", "names", f"the release has {pairs + len(found)} pairs of repository and content or more")
            pairs += len(found)
            self.reached[name] = found & self.nodes.keys()
            for tag in of_one:
                self.convention(tag, self.reached[name] | absent)
        return used

    def convention(self, tag, manifests):
        """Tags by which tools find what refers to an image must keep what their names say."""
        match = re.fullmatch(r"sha256-([0-9a-f]{64})(|\.sig|\.att|\.sbom)", tag.get("tag", ""), re.ASCII)
        if not match:
            return
        subject = "sha256:" + match[1]
        if match[2]:
            fits = subject in manifests
        else:
            fits = MANIFESTS[tag["media_type"]] == "index" and all(
                target in self.nodes and self.nodes[target][1] == subject for _, target in self.nodes[tag["digest"]][0])
        if not fits:
            raise content("referrer-tag", f"the tag {tag['tag']} of {tag['repository']} does not keep what its name says")


# --- 11. Desired state --------------------------------------------------------------------------------------------

IMAGE = record({"digest": DIGEST, "repository": repository})
AGENT = record({"created_at": time, "id": UUID, "name": text()}, {"autoheal": IMAGE, "docker": IMAGE, "kubernetes": IMAGE})
VERIFIER = record({"algorithm": text(), "hash": text(), "lanes": integer, "memory_kib": integer, "salt": text(), "time": integer})
RESOURCES = record({name: text() for name in ("cpu_limit", "cpu_request", "memory_limit", "memory_request")})
HELM = record({
    "chart": repository, "chart_name": text(), "chart_version": text(), "ignore_revision_skew": boolean, "release_name": text(),
    "source": one_of("oci", "repository"), "tag": TAG, "values": DIGEST,
}, {"options": record({
    "cleanup_on_failure": boolean, "force_conflicts": boolean, "rollback_on_failure": boolean, "timeout": text(),
    "wait_strategy": one_of("watcher", "legacy", "hookOnly")})})
SECRET = record({"name": text(r"[A-Z][A-Z0-9_]{0,63}"), "per_target": boolean, "source": one_of("sealed", "ask", "generate")},
                {"alphabet": text(), "length": integer})
DEPLOYMENT = record({
    "application": NAME, "created_at": time, "force_restart": boolean, "id": UUID, "images": list_of(IMAGE), "revision": UUID,
    "version": text(),
}, {"docker": record({"compose": DIGEST, "mode": one_of("compose", "swarm")}, {"env": DIGEST}), "helm": HELM, "secrets": list_of(SECRET)})
TARGET = record({
    "agent": UUID, "autoheal_all": boolean, "created_at": time, "deployments": list_of(DEPLOYMENT), "id": UUID,
    "image_cleanup": boolean, "kind": one_of("docker", "kubernetes"), "logs": boolean, "metrics": boolean, "name": text(),
}, {"docker_socket": text(), "logs_after": time, "site": SITE, "verifier": VERIFIER, "kubernetes": record({
    "namespace": text(), "scope": one_of("cluster", "namespace")}, {"resources": RESOURCES})})
STATE = record({"agents": list_of(AGENT), "removed": list_of(UUID), "targets": list_of(TARGET)})
PEOPLE = text(r"[^\x00-\x1f\x7f-\x9f]+", most=128)
LABEL = text(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def duration(value):
    text(r"([0-9]{1,9}(ms|h|m|s))+")(value)
    if sum(int(number) * UNITS[unit] for number, unit in re.findall(r"([0-9]+)(ms|h|m|s)", value)) > 1000 * UNITS["h"]:
        raise Grammar(f"{value} is too long")


def parse_state(data):
    """The document by itself; what it names is looked up with the content."""
    state = parse_canonical(data, STATE, "the desired state")
    agents, removed, targets = state["agents"], state["removed"], state["targets"]
    deployments = [one for target in targets for one in target["deployments"]]
    if max(map(len, (agents, removed, targets, deployments))) > 10_000:
        raise Refusal("E-LIMIT", "items", "the desired state lists too much")

    def demand(holds, found):
        if not holds:
            raise content("desired-state", found)

    def fits(shape, value):
        try:
            shape(value)
        except Grammar:
            return False
        return True

    def ids(items):
        return [item["id"] for item in items]

    demand(ascending(ids(agents)) and ascending(removed) and ascending(ids(targets)), "a list is repeated or out of order")
    for values in (ids(targets) + ids(deployments) + removed, [target["name"] for target in targets],
                   [one["revision"] for one in deployments]):
        demand(len(set(values)) == len(values), "an id, a name or a revision stands twice")
    for agent in agents:
        demand(fits(text(r"[A-Za-z0-9._+-]{1,128}"), agent["name"]), f"the agent version {agent['id']} has no usable name")
    versions, said = {agent["id"]: agent for agent in agents}, {}
    for target in targets:
        where, docker = f"target {target['id']}", target["kind"] == "docker"
        demand(fits(PEOPLE, target["name"]), f"{where}: name")
        agent = versions.get(target["agent"], {})
        demand(target["kind"] in agent and (not docker or "autoheal" in agent), f"{where}: agent version")
        demand(("kubernetes" in target) != docker, f"{where}: kubernetes")
        if not docker:
            place = target["kubernetes"]
            demand(fits(LABEL, place["namespace"]) and all(
                fits(text(r"[A-Za-z0-9.]{1,32}"), value) for value in place.get("resources", {}).values()), f"{where}: kubernetes")
        if "docker_socket" in target:
            demand(docker and fits(text(r"/[A-Za-z0-9/._-]{1,127}"), target["docker_socket"]), f"{where}: docker_socket")
        if "verifier" in target:
            check_verifier(target["verifier"], where)
        demand(ascending(ids(target["deployments"])), f"{where}: deployments are out of order")
        for one in target["deployments"]:
            demand(fits(PEOPLE, one["version"]), f"deployment {one['id']}: version")
            demand(("docker" in one) == docker and ("helm" in one) != docker, f"deployment {one['id']}: of another kind than its target")
            demand(ascending([(image["digest"], image["repository"]) for image in one["images"]]), f"deployment {one['id']}: images")
            if "secrets" in one:
                check_secret_uses(one["secrets"], target, said, demand)
            if "helm" in one:
                helm = one["helm"]
                demand(fits(LABEL, helm["release_name"]) and len(helm["release_name"]) <= 53, f"deployment {one['id']}: release_name")
                demand(fits(PEOPLE, helm["chart_name"]) and helm["chart"].split("/")[-1] == helm["chart_name"]
                       and fits(text(r"[A-Za-z0-9.+-]+"), helm["chart_version"])
                       and helm["chart_version"].replace("+", "_") == helm["tag"], f"deployment {one['id']}: chart")
                demand("options" not in helm or fits(duration, helm["options"]["timeout"]), f"deployment {one['id']}: timeout")
    return state


def check_secret_uses(secrets, target, said, demand):
    """Names, and where their values come from: one value is said to be the same everywhere."""
    demand(secrets and ascending([secret["name"] for secret in secrets]), "secrets are empty, repeated or out of order")
    for secret in secrets:
        letters = secret.get("alphabet", "!~")
        demand(re.fullmatch("[!-~]{2,94}", letters, re.ASCII) and ascending(list(letters)), f"{secret['name']}: alphabet")
        demand(8 <= secret.get("length", 8) <= 1024, f"{secret['name']}: length")
        demand(secret["source"] == "generate" or not {"alphabet", "length"} & set(secret), f"{secret['name']}: is not generated")
        value = (secret["name"], target["id"] if secret["per_target"] else None)
        demand(said.setdefault(value, secret) == secret, f"deployments say different things of {secret['name']}")


def check_sealed(data):
    """The outer form of an age file for one X25519 recipient; what is in it only its site knows."""
    def wrong(found):
        return content("secrets", f"a document of sealed secrets {found}")

    def key(value):
        if not re.fullmatch(rb"[A-Za-z0-9+/]{43}", value) or base64.b64encode(base64.b64decode(value + b"=")) != value + b"=":
            raise wrong("holds something else where 32 bytes belong")

    at, stanzas, own = 0, 0, 0

    def line():
        nonlocal at
        end = data[:4 * KIB].find(b"\n", at)
        if end < 0:
            raise wrong("has no header of at most 4,096 bytes")
        found, at = data[at:end], end + 1
        return found

    if line() != b"age-encryption.org/v1":
        raise wrong("is no age file of version 1")
    while True:
        words = line().split(b" ")
        if words[0] == b"---" and len(words) == 2:
            key(words[1])
            break
        stanzas += 1
        if stanzas > 8 or words[0] != b"->" or len(words) < 2 or not all(re.fullmatch(rb"[!-~]+", word) for word in words):
            raise wrong("has more than 8 stanzas, or a line that is none")
        body = [line()]
        while len(body[-1]) == 64:
            body.append(line())
        if not all(re.fullmatch(rb"[A-Za-z0-9+/]{0,64}", part) for part in body):
            raise wrong("has a stanza whose body is no base64")
        if words[1] == b"scrypt":
            raise wrong("is encrypted with a passphrase")
        if words[1] == b"X25519":
            own += 1
            if len(words) != 3 or own > 1:
                raise wrong("has not exactly one X25519 stanza of two arguments")
            key(words[2])
            key(b"".join(body))
    if own != 1:
        raise wrong("has no X25519 stanza")
    chunks = len(data) - at - 16
    full = 64 * KIB + 16
    count = -(-chunks // full)
    if chunks <= 0 or chunks - (count - 1) * full <= 16 or (chunks - 16 * count) % KIB:
        raise wrong("does not end where a padded text ends")


def check_verifier(verifier, where):
    """The hub's own parameters and no other, so that no document decides what a login costs."""
    cost = (verifier["algorithm"], verifier["time"], verifier["memory_kib"], verifier["lanes"])
    if cost != ("argon2id", 1, 65_536, 4) or not all(
            re.fullmatch(rf"[0-9a-f]{{{size}}}", verifier[name], re.ASCII) for name, size in (("salt", 32), ("hash", 64))):
        raise content("verifier", f"{where}: other parameters than the hub's")


def derived(kind, *parts):
    """The UUID of version 8 that follows from words."""
    words = [word.encode() for word in (kind, *parts)]
    made = bytearray(hashlib.sha256(b"".join(len(word).to_bytes(8, "big") + word for word in words)).digest()[:16])
    made[6], made[8] = made[6] & 0x0f | 0x80, made[8] & 0x3f | 0x80
    digits = made.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def check_derived(state, head):
    """What is derived is derived from this release's own words, so that nobody states another's."""
    for target in state["targets"]:
        made = [(target["id"], derived("target", head["domain"], head["product"], head["channel"], target["name"]))]
        made += [(one["id"], derived("deployment", target["id"], one["application"])) for one in target["deployments"]]
        for stated, follows in made:
            if stated[14] == "8" and stated != follows:
                raise content("derived-uuid", f"{stated} is of version 8 and does not follow from the release's words, {follows} does")


def check_rendered(state, head):
    """What agents get is made of these documents, once for each deployment that names them."""
    sizes = {(entry["type"], entry["digest"]): entry["size"] for entry in head["documents"]}
    whole = 0
    for target in state["targets"]:
        size = sum(sizes.get(named, 0) for one in target["deployments"] for named in documents_of(one))
        if size > 16 * MIB:
            raise Refusal("E-LIMIT", "rendered", f"the deployments of target {target['id']} name {size} bytes of documents")
        whole += size
    if whole > 1024 * MIB:
        raise Refusal("E-LIMIT", "rendered", f"the deployments of all targets name {whole} bytes of documents")


def documents_of(deployment):
    return [(kind, deployment[member][kind]) for member, kind in (("docker", "compose"), ("docker", "env"), ("helm", "values"))
            if kind in deployment.get(member, {})]


# --- 8. Order of checks -------------------------------------------------------------------------------------------

class Verifier:
    """One pass over a bundle, step by step; `others` are further volumes of it, in any order."""

    def __init__(self, source, chains, site=None, mark=None, at=None, others=()):
        self.others, self.volumes, self.repair = others, {}, None
        self.source, self.chains, self.site, self.mark, self.at = source, chains, site, mark, at
        self.step, self.report = "X1", {}
        self.rebuild, self.bases, self.sizes, self.kept = False, {}, {}, Kept()
        self.domain, self.base_domains = None, {}
        self.plains = {}  # of bases that inflate: made once, gone behind the last blob that names them

    def run(self):
        try:
            return self.steps()
        except Refusal as refusal:
            refusal.step = refusal.step or self.step
            raise

    def steps(self):
        source = self.source
        self.step = "X2"
        lines, signatures, trust, head_bytes, approvals = self.prologue(source)
        signatures = [self.signature_list(signatures, "signatures", "E-SIGNATURE")]
        approvals = [self.signature_list(approvals, "approvals", "E-POLICY")]
        links, numbered = [trust], [(lines, source)]
        for other in self.others:  # what they say in entries that nobody signed adds up
            lines, more, trust, same, approved = self.prologue(other)
            if same != head_bytes:
                raise Refusal("E-FORMAT", "volumes", "a volume is of another set")
            signatures.append(self.signature_list(more, "signatures", "E-SIGNATURE"))
            approvals.append(self.signature_list(approved, "approvals", "E-POLICY"))
            links.append(trust)
            numbered.append((lines, other))

        self.step = "X3"
        chains = [self.walk_links(trust) for trust in links]
        chain = chains[0]
        self.domain = chain.domain
        if any(one is not chain for one in chains):
            raise distrust("unknown-domain", "volumes of one set name two trust domains")
        for path, domain in self.base_domains.items():  # M-160
            if domain != chain.domain:
                raise distrust("unknown-domain", f"the base {path}: it belongs to the trust domain {domain}")
        root = chain.roots[-1]

        self.step = "X4"
        verify_role(root, "release", BUNDLE_HEAD, head_bytes, self.merged(signatures))

        self.step = "X5"
        head = parse_head(head_bytes)
        totals = head["totals"]
        self.report = {"head": hashlib.sha256(head_bytes).hexdigest(), "product": head["product"],
                       "channel": head["channel"], "version": head["version"], "epoch": head["epoch"],
                       "sequence": head["sequence"], "blobs": totals["blobs"], "chunks": totals["chunks"],
                       "needs": totals["needs"]}
        if head["domain"] != chain.domain:
            raise distrust("domain", "the head names another trust domain than entry 02")
        if head["root_version"] > len(chain.roots):
            raise distrust("missing-link", f"the bundle was made under root {head['root_version']}, whose link is missing")
        self.repair = repair_of(head, numbered[0][0])
        if self.repair is not None and self.others:
            raise Refusal("E-FORMAT", "volumes", "a repair file stands among volumes")
        for lines, one in numbered if self.repair is None else []:
            volume = volume_of(head, lines)
            if volume in self.volumes:
                raise Refusal("E-FORMAT", "volumes", f"two files are volume {volume}")
            self.volumes[volume] = one

        self.step = "X6"
        if head["product"] not in root["products"]:
            raise Refusal("E-AUDIENCE", "product", f"the root does not name the product {head['product']}")
        if self.site:
            if head["audience"] != "any" and self.site not in head["audience"]:
                raise Refusal("E-AUDIENCE", "site", "the bundle is for other sites")
            if version_numbers(head["minimum_appliance"]) > VERSION:
                raise Refusal("E-AUDIENCE", "appliance-version", f"the bundle needs airlock {head['minimum_appliance']}")
            self.step = "X7"
            if self.sequence(head, root) == "already":
                return "already"
            if self.repair is not None:
                raise Refusal("E-DEPENDENCY", "release", "a repair file is for a site that has the release")
        self.step = "X8"
        if head["issued_at"] > root["expires"]:
            raise Refusal("E-CLOCK", "issued-after-root", "the bundle says it was issued after its root expires")
        now = self.at or datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if moment(head["issued_at"]) - moment(now) > datetime.timedelta(hours=48):
            raise Refusal("E-CLOCK", "issued-ahead", f"the bundle says it was issued at {head['issued_at']}, and it is {now}")
        if self.at:
            if self.at >= root["expires"]:
                raise Refusal("E-EXPIRED", "root", f"root {root['version']} expired at {root['expires']}")
            if self.at >= head["expires"]:
                raise Refusal("E-EXPIRED", "bundle", f"the bundle expired at {head['expires']}")
        self.step = "X9"
        self.merged(approvals)

        self.step = "X9a"
        index = self.read_index(head)
        for one in self.volumes.values():
            if one is not source:
                self.read_pages(head, one)
        self.step = "X10"
        self.compare_needs(index)
        self.kept.begin(index)
        self.step = "X11"
        if self.repair is not None:
            return self.check_repair(index)
        missing = [volume for volume in range(1, len(head["volumes"]) + 1) if volume not in self.volumes]
        if missing:
            self.check_stored(head, index)
            raise Refusal("E-INCOMPLETE", "volumes", f"volume {missing[0]} of {len(head['volumes'])} is missing; the others are good")
        self.source = self.volumes[1]
        self.read_chunks(head, index)
        self.step = "X12"
        self.end(self.source)
        return "good"

    def prologue(self, source):
        entries = []
        for name, cap in PROLOGUE:
            entries.append(source.claimed(name, cap))
            if name == "00-format":
                self.check_format(entries[0])
        source.short = "E-INCOMPLETE"
        return entries

    @staticmethod
    def merged(lists):
        """What several volumes carry: each once, under the bound of one."""
        found = lists[0]()
        for more in lists[1:]:
            found = found + [one for one in more() if one not in found]
        if len(found) > 32:
            raise Refusal("E-LIMIT", "signatures", f"the volumes carry {len(found)} signatures or approvals")
        return found

    @staticmethod
    def end(source):
        source.zeros(1024, "end")
        if source.stream.read(1):
            raise Refusal("E-FORMAT", "trailing-data", "bytes follow the end blocks")

    def check_stored(self, head, index):
        """Of a set that is not complete: every byte at hand is what was signed; what it makes, nobody knows yet."""
        for volume in sorted(self.volumes):
            self.source = self.volumes[volume]
            first, last = chunks_of(head, volume)
            for number in range(first, last + 1):
                self.stored_chunk(number, index.lines["chunk"][number - 1])
            self.end(self.source)

    def check_repair(self, index):
        """Of a repair file every byte is what was signed; what it makes with the rest, nobody knows here."""
        self.report["repair"] = len(self.repair)
        for number in self.repair:
            self.stored_chunk(number, index.lines["chunk"][number - 1])
        self.step = "X12"
        self.end(self.source)
        return "good"

    @staticmethod
    def check_format(lines):
        first = lines.split(b"\n")[0]
        if first.startswith(b"airlock-bundle ") and first != b"airlock-bundle 1":
            raise Refusal("E-FORMAT", "unsupported-version", "the bundle is of another version of the format")
        if first.startswith(b"airlock-status "):
            raise Refusal("E-FORMAT", "wrong-type", "this is a status package")
        if first != b"airlock-bundle 1":
            raise Refusal("E-FORMAT", "not-a-bundle", "the format line is not that of a bundle")
        if not re.fullmatch(rb"airlock-bundle 1\n(volume [0-9]+/[0-9]+ chunks [0-9]+-[0-9]+|repair chunks [0-9,-]+)\n", lines):
            raise Refusal("E-FORMAT", "format-lines", "the second format line is neither one of a volume nor one of a repair file")

    @staticmethod
    def signature_list(data, name, kind):
        """Bounds are judged at once; what else is wrong with the list is told when its step has come."""
        def postponed(refusal):
            def tell():
                raise refusal
            return tell

        try:
            document = parse_canonical(data, record({name: list_of(SIGNATURE)}), f"the list of {name}")
        except Refusal as refusal:
            if refusal.kind == "E-LIMIT":
                raise
            return postponed(as_class(kind, refusal))
        if len(document[name]) > 32:
            raise Refusal("E-LIMIT", "signatures", f"the file carries {len(document[name])} {name}")
        return lambda: document[name]

    def walk_links(self, data):
        try:
            shape = record({"domain": HEX64, "roots": list_of(ENVELOPE)})
            document = parse_canonical(data, shape, "the list of root links", ENVELOPE_STRINGS)
        except Refusal as refusal:
            raise as_class("E-TRUST", refusal) from None
        for chain in self.chains:
            if chain.domain == document["domain"]:
                chain.extend(document["roots"])
                return chain
        raise distrust("unknown-domain", f"the trust domain {document['domain']} is not pinned")

    def sequence(self, head, root):
        scope = (head["product"], head["channel"])
        named = {(rule["product"], rule["channel"]): rule["epoch"] for rule in root.get("epochs", [])}.get(scope, 0)
        epoch, sequence, digest = self.mark or (named, 0, None)
        if (head["epoch"], head["sequence"]) == (epoch, sequence) and digest:
            if self.report["head"] == digest:
                return "already"
            raise Refusal("E-EQUIVOCATION", "same-number", f"number {sequence} belongs to another bundle")
        if (head["epoch"], head["sequence"]) <= (epoch, sequence) or head["epoch"] < named:
            raise Refusal("E-ROLLBACK", "older", f"the bundle is number {head['sequence']}, the site is at {sequence}")
        if head["epoch"] > named:
            raise Refusal("E-ROLLBACK", "epoch", f"the root does not name epoch {head['epoch']}")
        if head["sequence"] - (sequence if head["epoch"] == epoch else 0) > 1_000_000:
            raise Refusal("E-ROLLBACK", "fast-forward", f"the sequence jumps to {head['sequence']}")
        return "newer"

    def read_index(self, head):
        index = Index(head)
        self.read_pages(head, self.source, index.page)
        index.finish()
        return index

    @staticmethod
    def read_pages(head, source, take=lambda data: None):
        for number, page in enumerate(head["index"], start=1):
            source.expected(f"05-index/{number:04}", page["size"])
            data = source.content(page["size"])
            if hashlib.sha256(data).hexdigest() != page["sha256"]:
                raise Refusal("E-INTEGRITY", "page-hash", f"index page {number} is not the one the head names")
            take(data)
        fill = head["payload_offset"] - source.position - 512
        if fill < 0:
            raise Refusal("E-FORMAT", "payload-offset", "the payload begins before the index ends")
        if fill > 16 * MIB:
            raise Refusal("E-LIMIT", "fill", f"the fill has {fill} bytes")
        source.expected("06-fill", fill)
        source.zeros(fill, "fill")

    def read_chunks(self, head, index):
        self.step = "X13"
        graph = Content(index, head)
        self.step = "X11"
        blobs, early = index.lines["blob"], head["totals"]["early_blobs"]
        number, left, state, kept, judged = 0, None, None, None, False
        for chunk_number, (chunk, plain) in enumerate(zip(index.lines["chunk"] + [None], index.plain + [0]), start=1):
            self.turn_to(head, chunk_number)
            data = self.read_chunk(chunk_number, chunk, plain) if chunk else b""
            view = memoryview(data)
            while number < len(blobs):
                line = blobs[number]
                if left is None:
                    left, kept = line.get("travel_size", line["size"]), [] if graph.reads(line) else None
                    out = self.kept if line["digest"] in self.kept.wanted else None
                    state = self.restorer(line, index, out) if "encoding" in line else Whole(out)
                piece, view = view[:left], view[left:]
                state.push(bytes(piece))
                if kept is not None:
                    kept.append(bytes(piece))
                left -= len(piece)
                if left:
                    break
                made = state.finish()
                if isinstance(state, Restorer) and not state.is_made():  # M-171: what it is copied from is not at hand
                    away = self.report.setdefault("not_restored", {"blobs": 0, "bytes": 0})
                    away["blobs"], away["bytes"] = away["blobs"] + 1, away["bytes"] + line["size"]
                elif made is None:  # M-170: its plain is proven, and not that it is compressed so
                    missed = self.report.setdefault("not_rebuilt", {"blobs": 0, "bytes": 0})
                    missed["blobs"], missed["bytes"] = missed["blobs"] + 1, missed["bytes"] + line["size"]
                elif made != line["digest"]:
                    raise Refusal("E-INTEGRITY", "content-digest", f"the content of {line['digest']} is other content")
                if out and (not isinstance(state, Restorer) or state.is_made()):
                    out.keep(line["digest"], "producer" in line.get("encoding", {}))
                self.forget(line, index)
                if kept is not None:
                    self.step = "X13"
                    graph.add(line, b"".join(kept))
                    self.step = "X11"
                number, left = number + 1, None
                if not len(view) and (number >= len(blobs) or blobs[number]["size"]):
                    break
            if number >= early and not judged:
                self.step, judged = "X13", True
                graph.check()
                self.step = "X11"
        if graph.plains:
            self.report["diff_ids"] = graph.compared_plains()

    def restorer(self, line, index, out):
        """What makes a blob; its bases where all of them are at hand."""
        names = line["encoding"].get("bases")
        if names is None:
            return Restorer(line, self.rebuild, out=out)
        lines = [index.may_be_bases[name] for name in names]
        found = [self.part(one) for one in lines]
        sizes, bases = [base_plain_size(one) for one in lines], None
        if all(found):
            for one, part in zip(lines, found):
                if one["digest"] not in self.plains:
                    self.plains[one["digest"]] = plain_of(one, part)
            bases = [self.plains[one["digest"]] for one in lines]
        return Restorer(line, self.rebuild, sizes, bases, out)

    def part(self, line):
        """What is proven of a base, in this bundle or those before it; a gzip layer of which only the plain is, where that is what is copied."""
        found = self.kept.parts.get(line["digest"]) or self.bases.get(line["digest"])
        if found and found.is_plain and not inflates(line):
            return None
        return found

    def compare_needs(self, index):
        """M-160: a needed blob that is at hand has the size that is stated."""
        for line in index.lines["need"]:
            size = self.sizes.get(line["digest"], line["size"])
            if size != line["size"]:
                raise Refusal("E-DEPENDENCY", "needs", f"{line['digest']} has {size} bytes where it comes from, and not {line['size']}", "X10")

    def forget(self, line, index):
        for name in line.get("encoding", {}).get("bases", []):
            if index.last_user[name] == line["digest"]:
                self.plains.pop(name, None)

    def turn_to(self, head, number):
        """Behind the last chunk of a volume comes its end, then the first chunk of the next."""
        for volume in range(2, len(head["volumes"]) + 1):
            if number == chunks_of(head, volume)[0]:
                self.end(self.source)
                self.source = self.volumes[volume]

    def read_chunk(self, number, chunk, plain):
        stored = self.stored_chunk(number, chunk)
        return stored if chunk["codec"] == "none" else decompress(stored, plain)

    def stored_chunk(self, number, chunk):
        self.source.expected(f"chunks/{number:010}", chunk["size"])
        stored = self.source.content(chunk["size"])
        if hashlib.sha256(stored).hexdigest() != chunk["sha256"]:
            raise Refusal("E-INTEGRITY", "stored-hash", f"chunk {number} is not the one the index names")
        return stored


def judge(bundle, trust, site=None, mark=None, at=None, rebuild=False, bases=(), others=()):
    """Return the verdict on a file as a dictionary; `bases` are bundles of earlier releases, to copy from, `others` more volumes of it."""
    verifier = None
    try:
        kept, sizes, domains = judge_bases(bases, trust)
        chains = [Chain(pathlib.Path(path).read_bytes()) for path in trust]
        with contextlib.ExitStack() as files:
            stream = files.enter_context(sys.stdin.buffer if bundle == "-" else open(bundle, "rb"))
            more = [Source(files.enter_context(open(path, "rb"))) for path in distinct([bundle, *others])[1:]]
            verifier = Verifier(Source(stream), chains, site, mark, at, more)
            verifier.rebuild, verifier.bases, verifier.sizes, verifier.base_domains = rebuild, kept, sizes, domains
            verdict = verifier.run()
        skipped = [] if site else ["audience", "sequence"]
        skipped += ["approvals", "needs"] + ([] if at else ["expiry"])
        return {"verdict": verdict, "exit": 0, "skipped": skipped, **verifier.report}
    except Refusal as refusal:
        return {"verdict": "refused", "class": refusal.kind, "code": refusal.code, "found": refusal.found,
                "exit": EXIT[refusal.kind], **({"step": refusal.step} if refusal.step else {}),
                **(verifier.report if verifier else {})}
    except OSError as error:
        return {"verdict": "refused", "class": "E-IO", "code": "io", "step": "X1", "found": f"cannot open {quoted(str(error.filename))}: {error.strerror}",
                "exit": EXIT["E-IO"]}


def distinct(paths):
    """M-36: a file that is another one byte for byte counts once."""
    found = []
    for path in paths:
        if path == "-" or not any(one != "-" and filecmp.cmp(one, path, shallow=False) for one in found):
            found.append(path)
    return found


def base_sets(paths):
    """The files of each bundle that is named: itself, a folder of bundles, and the volumes of one set wherever they are."""
    sets = {}
    for path in paths:
        folder = pathlib.Path(path)
        inside = sorted(one for one in folder.iterdir() if one.is_file() and not one.is_symlink()) if folder.is_dir() else [folder]
        for file in inside:
            with open(file, "rb") as stream:
                if folder.is_dir() and (file.name.startswith(".") or file.name.endswith((".partial", ".old-head")) or stream.read(10) != b"00-format\0"):
                    continue
                stream.seek(0)
                try:
                    head = Verifier.prologue(Verifier(None, []), Source(stream))[3]
                except Refusal as refusal:
                    refusal.found, refusal.step = f"the base {file}: {refusal.found}", "X2"
                    raise
            sets.setdefault(head, []).append(str(file))
    return [distinct(files) for files in sets.values()]


def judge_bases(paths, trust):
    """What is proven in bundles of earlier releases, in whatever order they build on one another, the sizes of their blobs, and whose they are."""
    kept, sizes, domains, waiting = {}, {}, {}, base_sets(paths)
    while waiting:
        later = []
        for files in waiting:
            with contextlib.ExitStack() as opened:
                first, *others = [Source(opened.enter_context(open(file, "rb"))) for file in files]
                verifier = Verifier(first, [Chain(pathlib.Path(one).read_bytes()) for one in trust], others=others)
                verifier.kept, verifier.bases = Kept(everything=True), kept
                try:
                    verifier.run()
                except Refusal as refusal:
                    refusal.found = f"the base {files[0]}: {refusal.found}"
                    raise
            domains[files[0]] = verifier.domain
            kept, sizes = {**kept, **verifier.kept.parts}, {**sizes, **verifier.kept.lines}
            if "not_restored" in verifier.report:
                later.append(files)
        waiting = later if len(later) < len(waiting) else []
    return kept, sizes, domains


def parse_mark(value):
    match = re.fullmatch(r"([0-9]{1,16}):([0-9]{1,16}):([0-9a-f]{64})", value, re.ASCII)
    if not match:
        raise argparse.ArgumentTypeError("a mark is EPOCH:SEQUENCE:HEAD")
    return int(match[1]), int(match[2]), match[3]


def parse_time(value):
    try:
        time(value)
    except Grammar as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return value


def main():
    parser = Parser(description="Verify an airlock bundle, or what comes back from a site, without airlock.")
    parser.add_argument("bundle", nargs="*", help="the bundle, or - for a pipe; or its volumes, in any order; with --enrolment files of a site")
    parser.add_argument("--enrolment", action="append", default=[], metavar="FILE", help="judge files of this site; may repeat")
    parser.add_argument("--trust", action="append", default=[], metavar="FILE", help="a pinned chain file; may repeat")
    parser.add_argument("--site", metavar="ID", help="judge as this site")
    parser.add_argument("--mark", type=parse_mark, metavar="EPOCH:SEQ:HEAD", help="the newest release that the site has")
    parser.add_argument("--at", type=parse_time, metavar="TIME", help="judge expiry at this time")
    parser.add_argument("--rebuild", action="store_true", help="compress large gzip layers anew too, where this file knows how")
    parser.add_argument("--base", action="append", default=[], metavar="BUNDLE", help="an earlier bundle, to copy from: a file, a folder, or its volumes one by one; may repeat")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # where the terminal has not every letter
    if options.enrolment and options.bundle and not (options.site or options.mark or options.at):
        return judge_returned(options)
    if not options.bundle or ("-" in options.bundle and options.bundle != ["-"]) or options.enrolment or not options.trust or (options.mark and not options.site):
        parser.error("BUNDLE and --trust are needed, and --mark needs --site; or files of a site and --enrolment")
    found = judge(options.bundle[0], options.trust, options.site, options.mark, options.at, options.rebuild, options.base, options.bundle[1:])
    if options.json:
        print(shown(json.dumps(found, sort_keys=True, ensure_ascii=False)))
    elif found["verdict"] == "refused":
        print(shown(f"refused: {found['class']} {found['code']} at {found.get('step', 'the pin')}: {found['found']}"))
    else:
        print(shown(f"{found['verdict']}: {found['product']} {found['channel']} {found['version']} number {found['sequence']}, "
                    f"head {found['head']}, not judged: {', '.join(found['skipped'])}{not_rebuilt(found)}{not_restored(found)}{of_repair(found)}"))
    return found["exit"]


def not_rebuilt(found):
    """What is said of gzip layers of which only the plain was proven."""
    missed, plains = found.get("not_rebuilt"), found.get("diff_ids")
    said = f", not compressed anew: {missed['blobs']} gzip layers of {missed['bytes']} bytes" if missed else ""
    return said + (f", the plain of {plains['equal']} of {plains['layers']} is the one in the config of its image" if plains else "")


def of_repair(found):
    """What is said of a file that holds some chunks."""
    return f", a repair file: {found['repair']} of {found['chunks']} chunks, and not what is made of them" if "repair" in found else ""


def not_restored(found):
    """What is said of layers that are copied from what is not at hand."""
    away = found.get("not_restored")
    return f", NOT PROVEN, for what is copied into them is not at hand (--base): {away['blobs']} layers of {away['bytes']} bytes" if away else ""


def judge_returned(options):
    """What comes back from a site; the exit code is that of the worst class."""
    import verify_status  # which needs this file in turn
    found = verify_status.judge(options.bundle, options.enrolment, options.trust)
    for one in found:
        print(shown(json.dumps(one, sort_keys=True, ensure_ascii=False)) if options.json
              else "\n".join(map(shown, verify_status.lines_of(one))))
    return max(one["exit"] for one in found)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyError, IndexError, TypeError, AttributeError) as bug:
        print(f"refused: E-INTERNAL bug: {bug!r}", file=sys.stderr)
        sys.exit(70)
