"""Verify what comes back from a site: status packages, their summaries, acknowledgements, and exports of the audit log.

verify.py calls this; `verify.py --help` says how. The rules are those of SPEC.md, sections 14 to 16; where the two differ, SPEC.md is
right. Of verify.py it uses what is the same for bundles: canonical JSON, Ed25519, headers of the container, frames of zstd. Needed are
Python 3.9, its standard library, and the command `zstd`.

There is no ledger here: steps V5 and V11 and the ledger's part of V9 and V10 compare with the files given before, in their order.
"""

import array
import base64
import bisect
import datetime
import hashlib
import json
import re
import tempfile

import verify
from verify import (DIGEST, ENVELOPE, HEX64, INTEGER_MAX, KIB, MIB, NAME, SIGNATURE, SITE, UUID, Grammar, Refusal, ascending,
                    as_class, boolean, content, distrust, integer, list_of, one_of, parse_canonical, quoted, record, text, time,
                    version)

TYPE = {name: f"application/vnd.airlock.{name}.v1+json" for name in (
    "status-head", "import-receipt", "enrolment", "audit-checkpoint", "status-acknowledgement", "export-approval")}
PART_BYTES = CHUNK_BYTES = 4 * MIB
PACKAGE_BYTES = 1280 * MIB
TEXT_BYTES, QUOTED_BYTES, QUOTED_NAME = MIB, 256 * KIB, KIB
LINE_BYTES = MIB + 4 * KIB
DETAIL_BYTES, RECEIPT_LINE = 4 * KIB, 8 * KIB
LINES, RECEIPTS, ROWS, TARGETS, DAMAGED, LINEAGE, PARTS = 4_000_000, 10_000, 100_000, 100_000, 100_000, 256, 256


def format_fault(code, found):
    return Refusal("E-FORMAT", code, found)


def limit(code, found):
    return Refusal("E-LIMIT", code, found)


# --- Enrolments (SPEC 9, M-92) -----------------------------------------------------------------------------------

KEY = record({"id": HEX64, "public": HEX64, "scheme": one_of("ed25519")})
ENROLMENT = record({"created_at": time, "domains": list_of(HEX64), "site": SITE, "status": KEY,
                    "recipient": record({"public": HEX64, "scheme": one_of("x25519")})})


def role_of(key):
    """A role of one rule that this key alone meets."""
    return {"keys": [key], "roles": {"status": [{"keys": [key["id"]], "threshold": 1}]}}


def verify_status(keys, payload_type, payload, signatures):
    """By one of these keys, the newest first; the refusal is that of the newest."""
    refusal = None
    for key in reversed(keys):
        try:
            verify.verify_role(role_of(key), "status", payload_type, payload, signatures)
            return
        except Refusal as found:
            refusal = refusal or found
    raise refusal


P25519 = 2**255 - 19
SMALL_ORDER = {0, 1, P25519 - 1, *(int.from_bytes(bytes.fromhex(u), "little") for u in (
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"))}


def weak_recipient(public):
    """Whether an X25519 key is a point of small order, for which nothing can be encrypted (RFC 7748, 5 and 6.1)."""
    return (int.from_bytes(public, "little") % 2**255) % P25519 in SMALL_ORDER


class Sites:
    """Status keys by (domain, site), earlier ones first: that of the file given last is in force."""

    def __init__(self, files):
        self.keys = {}
        for data in files:
            try:
                domain, site, key = self.enrolment(data)
            except Refusal as refusal:
                raise as_class("E-TRUST", refusal) from None
            known = self.keys.setdefault((domain, site), [])
            known[:] = [one for one in known if one["id"] != key["id"]] + [key]

    @staticmethod
    def enrolment(data):
        if len(data) > 64 * KIB:
            raise limit("document-size", "an enrolment file is larger than 64 KiB")
        envelope = parse_canonical(data, ENVELOPE, "an enrolment file", verify.ENVELOPE_STRINGS)
        payload = base64.b64decode(envelope["payload"])
        if envelope["payloadType"] != TYPE["enrolment"]:
            raise distrust("wrong-type", f"an enrolment file holds {envelope['payloadType']}")
        statement = parse_canonical(payload, ENROLMENT, "an enrolment")
        key = statement["status"]
        public = bytes.fromhex(key["public"])
        if verify.strict_point(public) is None:
            raise distrust("weak-key", f"{key['public']} is not an Ed25519 key to trust")
        if verify.key_id(public) != key["id"]:
            raise distrust("key-id", f"the id {key['id']} does not follow from its key's bytes")
        verify_status([key], TYPE["enrolment"], payload, envelope["signatures"])
        if weak_recipient(bytes.fromhex(statement["recipient"]["public"])) or statement["recipient"]["public"] == key["public"]:
            raise distrust("weak-key", f"{statement['recipient']['public']} is not an X25519 key to encrypt for")
        if len(statement["domains"]) != 1:
            raise distrust("domains", "an enrolment names another number of domains than one")
        return statement["domains"][0], statement["site"], key

    def of(self, domain, site):
        if not any(known == domain for known, _ in self.keys):
            raise distrust("unknown-domain", f"no enrolment is for the trust domain {domain}")
        if (domain, site) not in self.keys:
            raise distrust("unknown-site", f"the site {site} is not enrolled")
        return self.keys[domain, site]


# --- Head (M-91) -----------------------------------------------------------------------------------------------

TYPES = ("releases", "targets", "receipts", "audit", "metrics", "records")
SHOWS = ("agent-logs", "agents", "local-names", "logs", "metrics", "status-text")
NUMBERS = {"audit": integer, "receipts": integer, "records": integer}
WITHHELD = ("agent-log", "log", "metrics", "status")
RANGE = {"first": integer, "last": integer}
HEAD = record({
    "audit": record({**RANGE, "before": HEX64, "hash": HEX64}), "builder": record({"name": text(), "version": text()}),
    "chunk_bytes": integer, "domain": HEX64, "index": list_of(record({"sha256": HEX64, "size": integer})), "instance": SITE,
    "lineage": list_of(record({**NUMBERS, "instance": SITE})), "made_at": time, "number": integer,
    "parts": list_of(record({"digest": DIGEST, "lines": integer, "size": integer, "type": one_of(*TYPES)})),
    "payload_offset": integer, "reader": version, "receipts": record(RANGE),
    "records": record({**RANGE, "missing": integer, "shown": integer, "unexplained": integer,
                       "withheld": record({name: integer for name in WITHHELD})}),
    "requires": list_of(text()), "shows": list_of(one_of(*SHOWS)), "site": SITE, "statement": time,
    "totals": record({name: integer for name in verify.TOTALS}), "volumes": list_of(verify.count),
}, {"acknowledged": record({**NUMBERS, "number": integer}), "previous": HEX64})


BLOB = record({"kind": one_of("blob"), "digest": DIGEST, "size": integer})
CHUNK = record({"kind": one_of("chunk"), "codec": one_of("none", "zstd"), "sha256": HEX64, "size": integer})


def parse_requires(data, what):
    """`requires` and `reader` are read leniently: what needs a newer reader is said before the strict parse."""
    peek = verify.lenient(data, what)
    try:
        list_of(text())(peek.get("requires"))
        version(peek.get("reader"))
    except Grammar as error:
        raise format_fault("grammar", f"{what} does not parse: {error}") from None
    if peek["requires"]:
        raise format_fault("needs-newer-reader", f"{what} needs {quoted(peek['requires'][0], 80)}; airlock {peek['reader']} reads it")


def parse_head(data):
    parse_requires(data, "the head")
    head = parse_canonical(data, HEAD, "the head")
    totals, parts, lineage = head["totals"], head["parts"], head["lineage"]

    def demand(holds, code, found):
        if not holds:
            raise format_fault(code, found)

    demand(head["chunk_bytes"] == CHUNK_BYTES, "chunk-bytes", "chunk_bytes is not 4,194,304")
    demand(head["builder"]["name"] and head["builder"]["version"], "labels", "the builder has an empty name or version")
    demand(head["payload_offset"] % 512 == 0, "payload-offset", "payload_offset is not a multiple of 512")
    demand(head["volumes"] == [totals["chunks"]], "volumes", "the package is not one volume with all chunks")
    if len(head["index"]) > 1 or any(page["size"] > MIB for page in head["index"]):
        raise limit("index-size", "the index has more than one page, or one above 1 MiB")
    demand(all(page["size"] for page in head["index"]), "index", "an index page is empty")
    if totals["chunks"] > PARTS or totals["blobs"] > PARTS or totals["content_bytes"] > PARTS * PART_BYTES:
        raise limit("totals", "the totals are above the limits")
    demand(totals["early_blobs"] == totals["blobs"] and totals["needs"] == 0 and totals["stored_bytes"] <= totals["content_bytes"],
           "totals", "the totals contradict each other")
    if len(parts) > PARTS:
        raise limit("parts", "the package has more than 256 parts")
    if any(part["size"] > PART_BYTES for part in parts):
        raise limit("part-size", "a part is larger than 4 MiB")
    demand(all(part["size"] and part["lines"] for part in parts), "parts", "a part is empty")
    order = [TYPES.index(part["type"]) for part in parts]
    demand(order == sorted(order), "parts", "the parts are out of order")
    demand(len(parts) == totals["blobs"] and sum(part["size"] for part in parts) == totals["content_bytes"], "totals",
           "the totals are not those of the parts")
    if sum(part["lines"] for part in parts) > LINES:
        raise limit("lines", "the package has more than 4,000,000 lines")
    demand(ascending(head["shows"]), "shows", "the list of what is shown is repeated or out of order")
    demand(head["number"] >= 1, "number", "packages are numbered from 1 on")
    demand(("previous" in head) == (head["number"] > 1), "number", "package 1 has no predecessor, every other one has one")
    return head


def check_ranges(head):
    """Which numbers the package covers, and whose they are."""
    def demand(holds, code, found):
        if not holds:
            raise format_fault(code, found)

    lineage, known = head["lineage"], head.get("acknowledged", {"audit": 0, "receipts": 0, "records": 0})
    for kind in NUMBERS:
        first, last = head[kind]["first"], head[kind]["last"]
        demand(first >= 1 and last >= first - 1, "ranges", f"the range {first} to {last} of {kind} is none")
        demand(first > known[kind], "ranges", f"the range of {kind} begins at {first}, and {known[kind]} is acknowledged")
    for kind, most in (("receipts", RECEIPTS), ("audit", ROWS)):
        if head[kind]["last"] - head[kind]["first"] + 1 > most:
            raise limit("lines", f"the package covers more than {most} numbers of {kind}")
    if len(lineage) > LINEAGE:
        raise limit("lineage", "the lineage has more than 256 instances")
    instances = [one["instance"] for one in lineage]
    demand(instances and instances[-1] == head["instance"] and len(set(instances)) == len(instances), "lineage",
           "the lineage is empty, names an instance twice or does not end with this one")
    for kind in NUMBERS:
        begins = [one[kind] for one in lineage]
        least = known[kind] + 1 if len(lineage) == LINEAGE else 1    # what was acknowledged may be left out of a full one
        demand(1 <= begins[0] <= least and begins == sorted(begins) and begins[-1] <= head[kind]["first"], "lineage",
               f"the numbers at which the instances begin do not fit ({kind})")


def owner(head, kind, number):
    """The instance that a number of this package belongs to; none where it was left out of the lineage."""
    return next((one["instance"] for one in reversed(head["lineage"]) if one[kind] <= number), None)


# --- Quoted text (M-94) ----------------------------------------------------------------------------------------

UNSEEN = ((0x00, 0x1f), (0x5c, 0x5c), (0x7f, 0x9f), (0x61c, 0x61c), (0x200b, 0x200f), (0x2028, 0x202e), (0x2060, 0x206f),
          (0xfeff, 0xfeff), (0xfff9, 0xfffb), (0xe0000, 0xe0fff))
PIECE = re.compile(r"\\\.\.|(?:\\[0-9a-f]{2})+|[^\\]+", re.DOTALL)
REDACTED = None  # a stretch that the site left out


def is_unseen(character):
    return any(first <= ord(character) <= last for first, last in UNSEEN)


def unquote(value):
    """The pieces of a quoted text: strings, and REDACTED between them, which counts as one byte. What is not written in the one form is refused."""
    pieces, at = [], 0
    while at < len(value):
        match = PIECE.match(value, at)
        if not match:
            raise format_fault("quoted", "a text holds a backslash that begins no escape")
        piece, at = match[0], match.end()
        if piece == "\\..":
            pieces.append(REDACTED)
            continue
        if piece.startswith("\\"):
            try:
                piece = bytes.fromhex(piece.replace("\\", "")).decode("utf-8")
            except UnicodeDecodeError:
                raise format_fault("quoted", "a text escapes bytes that are no UTF-8") from None
            if not all(map(is_unseen, piece)):
                raise format_fault("quoted", "a text escapes what is not escaped")
        elif any(map(is_unseen, piece)):
            raise format_fault("quoted", "a text holds a character that is to be escaped")
        pieces.append(piece)
    return pieces


def quoted_text(most):
    def check(value):
        text()(value)
        if sum(1 if piece is REDACTED else len(piece.encode()) for piece in unquote(value)) > most:
            raise limit("text-size", f"a text has more than {most} bytes")
    return check


# --- Lines (M-93, M-96) ----------------------------------------------------------------------------------------------

def constant(word):
    return one_of(word)


def agent_time(value):
    text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,9})?Z")(value)
    if re.search(r"\.[0-9]*0Z$", value):
        raise verify.NonCanonical  # a fraction ends with a digit that says something
    try:
        datetime.datetime.strptime(value[:19], "%Y-%m-%dT%H:%M:%S")
        if value[:19] > "9999-12-30T22:00:00":
            raise ValueError
    except ValueError:
        raise Grammar(f"{quoted(value)} is not a time that an agent's clock can show") from None


def day(value):
    text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")(value)
    time(value + "T00:00:00Z")


def exactly(number, item):
    def check(value):
        list_of(item)(value)
        if len(value) != number:
            raise Grammar(f"a list of other than {number}")
    return check


def is_plain(value):
    """Whether JSON holds nothing but objects, lists, strings, booleans, and integers in range."""
    if isinstance(value, (dict, list)):
        return all(map(is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (bool, str)) or isinstance(value, int) and 0 <= value <= INTEGER_MAX


def an_object(value):
    if not isinstance(value, dict):
        raise Grammar("not an object")


STATE = one_of("error", "progressing", "running", "healthy")
SIGNAL = one_of("nothing", "preparing", "replacing", "applied", "untouched", "rolled-back", "failed", "cluster-check", "well")
DOUBT = one_of("no-status", "waiting", "applying", "before", "half-applied", "failed-upgrade", "unseen", "removing")
REASON = one_of("quota", "rate", "flapping", "damaged", "restored", "folded")
CLASS = one_of("any", "transition", "continued", "status", "metrics", "log", "agent-log", "gap")
WORDS, NAMES = quoted_text(QUOTED_BYTES), quoted_text(QUOTED_NAME)
STATUS = {"at": time, "deployment": UUID, "number": integer, "revision": UUID, "signal": SIGNAL, "state": STATE, "target": UUID}
OFTEN = {"count": integer, "last": time, "entered": integer, "text": WORDS}
LOG = {"at": time, "number": integer, "severity": NAMES, "target": UUID, "text": WORDS, "time": agent_time}
REPORTED = {"count": integer, "entered": integer, "first": time, "last": time, "number": integer, "revision": UUID, "signal": SIGNAL,
            "state": STATE}

SHAPES = {
    "releases": {
        "release": record({"blobs": integer, "channel": NAME, "content": HEX64, "epoch": integer, "head": HEX64, "imported_at": time,
                           "product": NAME, "root_version": integer, "sequence": integer,
                           "state": one_of("active", "available", "retired"), "kind": constant("release")}, {"since": time}),
        "damaged": record({"digest": DIGEST, "size": integer, "kind": constant("damaged")}),
    },
    "targets": {
        "target": record({"target": UUID, "kind": constant("target")}, {
            "seen": time, "since": time, "follows": UUID, "removed": time, "agent": NAMES, "name": NAMES, "metrics": record({
                "cores": integer, "cpu": integer, "disks": list_of(exactly(2, integer)), "memory": integer, "memory_used": integer})}),
        "deployment": record({"deployment": UUID, "target": UUID, "kind": constant("deployment")}, {
            "wanted": UUID, "removed": time, "runs": UUID, "doubt": DOUBT, **REPORTED}),
    },
    "receipts": {None: ENVELOPE},
    "audit": {None: record({"action": text(), "at": time, "detail": an_object, "number": integer})},
    "metrics": {None: record({"cpu": exactly(3, integer), "day": day, "memory": exactly(3, integer), "samples": integer, "target": UUID},
                             {"disk": integer})},
    "records": {
        "transition": record({**STATUS, "kind": constant("transition")}, OFTEN),
        "status": record({**STATUS, "kind": constant("status")}, OFTEN),
        "continued": record({**STATUS, "of": integer, "kind": constant("continued")}, OFTEN),
        "log": record({**LOG, "deployment": UUID, "resource": NAMES, "revision": UUID, "kind": constant("log")}),
        "agent-log": record({**LOG, "kind": constant("agent-log")}),
        "gap": record({"at": time, "bytes": integer, "class": CLASS, "count": integer, "exact": boolean, "number": integer, "reason": REASON,
                       "since": time, "until": time, "kind": constant("gap")}, {"first": integer, "last": integer, "target": UUID}),
    },
}
ORDER = {
    "release": lambda line: (0, line["product"], line["channel"], line["epoch"], line["sequence"]),
    "damaged": lambda line: (1, line["digest"]),
    "target": lambda line: (line["target"],),
    "deployment": lambda line: (line["target"], line["deployment"]),
    "audit": lambda line: line["number"],
    "metrics": lambda line: (line["day"], line["target"]),
    "records": lambda line: line["number"],
}
# What a switch allows: whole kinds of lines, and members of others.
SWITCH_OF_LINE = {"status": "status-text", "log": "logs", "agent-log": "agent-logs", "metrics": "metrics"}
SWITCH_OF_MEMBER = {"target": {"agent": "agents", "metrics": "metrics", "name": "local-names"},
                    **{kind: {"text": "status-text"} for kind in ("transition", "continued")}}


def bound_strings(raw):
    """Only the text of a record may be long."""
    depth = 0
    for match in verify.TOKENS.finditer(raw):
        token = match[0]
        if token[:1] != b'"':
            depth += 1 if token in (b"[", b"{") else -1
        elif len(token) > 4 * KIB + 2 and not (depth == 1 and raw[:match.start()].endswith(b'"text":')):
            raise limit("string-length", "a line holds a string of more than 4,096 bytes")


def parse_line(kind_of_part, raw):
    """A line by its kind, in the one form."""
    if len(raw) > LINE_BYTES:
        raise limit("line-size", f"a line has {len(raw)} bytes")
    shapes = SHAPES[kind_of_part]
    kind = None
    if None not in shapes:
        match = re.search(rb'"kind":"([a-z-]*)"', raw)
        kind = match[1].decode() if match else ""
        if kind not in shapes:
            raise format_fault("grammar", f"a line of {kind_of_part} is of no known kind")
    if kind_of_part == "receipts" and len(raw) > RECEIPT_LINE:
        raise limit("receipt-size", f"a receipt has {len(raw)} bytes")
    if len(raw) > 4 * KIB:
        bound_strings(raw)
    return kind or kind_of_part, parse_canonical(raw, shapes[kind], f"a line of {kind_of_part}", TEXT_BYTES)


def depth_of(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


def check_line(kind, line, shows):
    """What one line must fulfil beyond its members' types."""
    def demand(holds, found):
        if not holds:
            raise format_fault("line", found)

    if kind in SWITCH_OF_LINE and SWITCH_OF_LINE[kind] not in shows:
        raise content("shows", f"a line of the kind {kind} stands in a package that does not show it")
    for name, switch in SWITCH_OF_MEMBER.get(kind, {}).items():
        if name in line and switch not in shows:
            raise content("shows", f"a line of the kind {kind} has the member {name} in a package that does not show it")
    if kind in ("transition", "continued", "status"):
        demand(("count" in line) == ("last" in line) and line.get("count", 2) > 1, "count and last stand where it came more than once")
        demand(line.get("entered", 2) > 1, "what was entered once is not counted")
        demand("text" in line or "status-text" not in shows, "the text is missing, and texts are shown")
    if kind == "continued":
        demand(0 < line["of"] < line["number"], "a record continues none that was before it")
    if kind == "gap":
        demand(("first" in line) == ("last" in line) and 0 < line.get("first", 1) <= line.get("last", 1), "a gap ends before it begins")
    if kind == "target":
        demand("name" not in line or "follows" in line, "only what was made at the site has a name")
    if kind == "deployment":
        reported = set(REPORTED) & set(line)
        demand(not reported or reported == set(REPORTED), "what a deployment reported is there in part")
        certain = ("runs" in line) + ("doubt" in line)
        demand(certain == 1 or certain == 0 and "removed" in line, "of runs and doubt one stands")
    if kind == "audit":
        demand(re.fullmatch(r"[a-z][a-z-]{0,31}", line["action"], re.ASCII), "an action is no word")
        if len(json.dumps(line["detail"], ensure_ascii=False, separators=(",", ":")).encode()) > DETAIL_BYTES or depth_of(line["detail"]) > 3:
            raise limit("detail", f"the detail of audit row {line['number']} is too large or nested too deep")
        demand(is_plain(line["detail"]), "a detail holds null or a number above 2^53-1 or below 0")


# --- Receipts and the log of a stream (M-103 to M-106) ------------------------------------------------------------------------

RECEIPT = {"at": time, "audit": HEX64, "channel": NAME, "domain": HEX64, "epoch": integer, "head": HEX64, "instance": SITE,
           "number": integer, "product": NAME, "root_version": integer, "sequence": integer, "site": SITE, "version": text(least=1, most=128)}
REFUSED = {name: text(r"[A-Za-z0-9-]{1,64}") for name in ("class", "code", "step")}
RECEIPTS_BY_RESULT = {
    "imported": record({**RECEIPT, "result": constant("imported")}),
    "activated": record({**RECEIPT, "result": constant("activated")}),
    "refused": record({**RECEIPT, **REFUSED, "result": constant("refused")}),
}
# A bundle that came once more and mended content has a receipt too.
ACTIONS_OF = {"imported": ("import", "restore"), "activated": ("activate",), "refused": ("refuse",)}


def receipt_shape(value):
    result = value.get("result") if isinstance(value, dict) else None
    if not isinstance(result, str) or result not in RECEIPTS_BY_RESULT:
        raise Grammar("a receipt without a known result")
    RECEIPTS_BY_RESULT[result](value)
    if not value["number"]:
        raise Grammar("receipts are numbered from 1 on")


def stream_start(site, domain):
    return hashlib.sha256(b"airlock-stream-v1\n" + bytes.fromhex(site) + bytes.fromhex(domain)).hexdigest()


def stream_seal(before, row):
    """`row`: its canonical bytes."""
    return hashlib.sha256(b"airlock-stream-row-v1\n" + bytes.fromhex(before) + row).hexdigest()


# --- Package: V0 to V11 (M-111) ---------------------------------------------------------------------------------

class Package:
    """One pass over a copy of the file to V7, one over its parts for V8; then what they hold is compared."""

    def __init__(self, stream, sites, known=None):
        self.sites, self.known = sites, known
        self.step, self.findings, self.head = "V0", [], None
        self.counts, self.numbers, self.gaps, self.continued = {}, array.array("Q"), [], set()
        self.records, self.receipts, self.rows = {}, {}, {}
        self.envelopes, self.broken, self.verdict = [], None, "good"
        self.file = tempfile.SpooledTemporaryFile(64 * MIB)
        self.size = 0
        while piece := stream.read(MIB):
            self.size += len(piece)
            if self.size > PACKAGE_BYTES:
                raise Refusal("E-LIMIT", "package-size", "the package is larger than 1.25 GiB", "V0")
            self.file.write(piece)
        self.file.seek(0)
        self.source = verify.Source(self.file, "package")

    def run(self):
        try:
            self.steps()
        except Refusal as refusal:
            refusal.step = refusal.step or self.step
            raise
        return self.verdict

    def steps(self):
        source = self.source
        self.step = "V1"
        entries = []
        for name, cap in verify.PROLOGUE:
            entries.append(source.claimed(name, cap))
            if name == "00-format":
                check_format(entries[0])
        source.short = "E-INCOMPLETE"
        lines, signatures, trust, head_bytes, approvals = entries
        signatures = verify.Verifier.signature_list(signatures, "signatures", "E-SIGNATURE")
        approvals = verify.Verifier.signature_list(approvals, "approvals", "E-POLICY")

        self.step = "V2"
        hints = self.hints(trust)
        self.keys = self.sites.of(hints["domain"], hints["site"])
        if hints["enrolments"]:
            raise distrust("enrolments", "the package carries enrolments, which this version does not take")

        self.step = "V3"
        self.signed(head_bytes, signatures())

        self.step = "V4"
        self.head = head = parse_head(head_bytes)
        self.digest = hashlib.sha256(head_bytes).hexdigest()
        for name in ("domain", "site"):
            if head[name] != hints[name]:
                raise distrust(name, f"the head names another {name} than entry 02")
        chunks = head["totals"]["chunks"]
        if lines != f"airlock-status 1\nvolume 1/1 chunks {min(1, chunks)}-{chunks}\n".encode():
            raise format_fault("format-lines", "entry 00 does not say what the head says")
        check_ranges(head)
        self.approvals = [one["keyid"] for one in approvals()]

        self.step = "V5"
        if self.known:
            self.verdict = self.known.compare_head(self)
            if self.verdict == "already":
                return
        self.step = "V6"
        self.read_index()
        self.step = "V7"
        self.read_chunks()
        source.zeros(1024, "end")
        if source.stream.read(1):
            raise format_fault("trailing-data", "bytes follow the end blocks")
        self.step = "V8"
        self.read_parts()
        self.check_coverage()
        self.step = "V9"
        self.check_receipts()
        self.step = "V10"
        self.check_rows()
        if self.known:
            self.known.compare_rows(self)
            self.step = "V11"
            self.known.compare_facts(self)

    @staticmethod
    def hints(data):
        try:
            return parse_canonical(data, record({"domain": HEX64, "enrolments": list_of(lambda _: None), "site": SITE}), "entry 02",
                                   verify.ENVELOPE_STRINGS)
        except Refusal as refusal:
            raise as_class("E-TRUST", refusal) from None

    def signed(self, head_bytes, signatures):
        in_force = self.keys if self.known and self.known.has(hashlib.sha256(head_bytes).hexdigest()) else self.keys[-1:]
        try:
            verify_status(in_force, TYPE["status-head"], head_bytes, signatures)
        except Refusal as refusal:
            if refusal.code == "below-threshold" and self.by_earlier_key(head_bytes, signatures):
                raise Refusal("E-SIGNATURE", "replaced-key", "the head is signed by a key of this site that was replaced") from None
            raise

    def by_earlier_key(self, head_bytes, signatures):
        if not self.keys[:-1]:
            return False
        try:
            verify_status(self.keys[:-1], TYPE["status-head"], head_bytes, signatures)
        except Refusal:
            return False
        return True

    def read_index(self):
        source, head = self.source, self.head
        self.chunks, listed = [], 0
        for number, page in enumerate(head["index"], start=1):
            source.expected(f"05-index/{number:04}", page["size"])
            data = source.content(page["size"])
            if hashlib.sha256(data).hexdigest() != page["sha256"]:
                raise Refusal("E-INTEGRITY", "page-hash", f"index page {number} is not the one the head names")
            if not data.endswith(b"\n"):
                raise format_fault("index", "an index page does not end with a line feed")
            lines = data[:-1].split(b"\n")
            listed = min(len(lines), len(head["parts"]))
            for raw, part in zip(lines, head["parts"]):
                blob = parse_canonical(raw, BLOB, "an index line")
                if (blob["digest"], blob["size"]) != (part["digest"], part["size"]):
                    raise format_fault("parts", "the index lists other blobs than the parts of the head")
            for raw in lines[listed:]:
                if len(self.chunks) == head["totals"]["chunks"]:
                    raise format_fault("totals", "the index has more lines than the head states")
                self.chunks.append(parse_canonical(raw, CHUNK, "an index line"))
        fill = head["payload_offset"] - source.position - 512
        if fill < 0:
            raise format_fault("payload-offset", "the payload begins before the index ends")
        if fill > 16 * MIB:
            raise limit("fill", f"the fill has {fill} bytes")
        source.expected("06-fill", fill)
        source.zeros(fill, "fill")
        totals = head["totals"]
        if listed != len(head["parts"]) or len(self.chunks) != totals["chunks"] or \
                sum(line["size"] for line in self.chunks) != totals["stored_bytes"]:
            raise format_fault("totals", "the totals of the head are not those of the index")
        self.plain = list(verify.cut([part["size"] for part in head["parts"]], len(head["parts"]), CHUNK_BYTES))
        for plain, chunk in zip(self.plain, self.chunks):
            if not (chunk["size"] == plain if chunk["codec"] == "none" else 0 < chunk["size"] < plain):
                raise format_fault("chunk-size", "the stored size of a chunk does not fit its plain size and codec")
        if len(self.plain) != len(self.chunks):
            raise format_fault("cut", "the index lists another number of chunks than its blobs make")

    def read_chunks(self):
        """Every chunk and every blob by its hash; where the chunks lie is kept for the second pass."""
        self.places, parts = [], iter(self.head["parts"])
        self.held = None
        for number, (chunk, plain) in enumerate(zip(self.chunks, self.plain), start=1):
            self.source.expected(f"chunks/{number:010}", chunk["size"])
            self.places.append(self.source.position)
            stored = self.source.content(chunk["size"])
            if hashlib.sha256(stored).hexdigest() != chunk["sha256"]:
                raise Refusal("E-INTEGRITY", "stored-hash", f"chunk {number} is not the one the index names")
            data = stored if chunk["codec"] == "none" else verify.decompress(stored, plain)
            self.held = data
            at = 0
            while at < plain:
                part = next(parts)
                if "sha256:" + hashlib.sha256(data[at:at + part["size"]]).hexdigest() != part["digest"]:
                    raise Refusal("E-INTEGRITY", "content-digest", f"the content of {part['digest']} is other content")
                at += part["size"]

    def read_parts(self):
        parts, before = iter(self.head["parts"]), None
        self.last, self.under = None, None
        for chunk, plain, place in zip(self.chunks, self.plain, self.places):
            if len(self.chunks) == 1:
                data = self.held
            else:
                self.file.seek(place)
                stored = self.file.read(chunk["size"])
                data = stored if chunk["codec"] == "none" else verify.decompress(stored, plain)
            at = 0
            while at < plain:
                part = next(parts)
                self.read_part(part, data[at:at + part["size"]], before)
                before = part
                at += part["size"]

    def read_part(self, part, data, before):
        if not data.endswith(b"\n"):
            raise format_fault("pages", "a part does not end with a line feed")
        lines = data[:-1].split(b"\n")
        if before and before["type"] == part["type"]:
            if before["size"] + len(lines[0]) + 1 <= PART_BYTES:
                raise format_fault("pages", "a part was begun before the one before it was full")
        else:
            self.last = None
        for raw in lines:
            self.read_line(part["type"], raw)
        if len(lines) != part["lines"]:
            raise content("lines", f"a part of {part['type']} has {len(lines)} lines, the head states {part['lines']}")

    def read_line(self, part, raw):
        kind, line = parse_line(part, raw)
        check_line(kind, line, self.head["shows"])
        order = ORDER.get(kind) or ORDER.get(part)
        if kind == "deployment":
            if line["target"] != self.under:
                raise format_fault("order", "a deployment does not stand behind its target")
        if order:
            key = order(line)
            if self.last is not None and self.last >= key:
                raise format_fault("order", f"the lines of {part} are repeated or out of order")
            self.last = key
        self.counts[kind] = self.counts.get(kind, 0) + 1
        for name, most in (("damaged", DAMAGED), ("target", TARGETS)):
            if self.counts.get(name, 0) > most:
                raise limit("lines", f"the package has more than {most} lines of {name}")
        if kind == "target":
            self.under = line["target"]
        elif kind == "receipts":
            self.envelopes.append(line)
        elif kind == "audit":
            self.read_row(line, raw)
        elif part == "records":
            self.read_record(kind, line)

    def read_row(self, line, raw):
        expected = self.head["audit"]["first"] + len(self.rows)
        if line["number"] != expected and self.broken is None:
            self.broken = f"row {line['number']} stands where row {expected} belongs"
        before = self.rows[expected - 1][0] if expected - 1 in self.rows else self.head["audit"]["before"]
        self.rows[expected] = (stream_seal(before, raw), line["action"])

    def read_record(self, kind, line):
        number, covered = line["number"], self.head["records"]
        if not covered["first"] <= number <= covered["last"]:
            raise content("coverage", f"record {number} lies outside of the range of the package")
        if kind == "continued":
            if line["of"] in self.continued:
                raise format_fault("line", f"record {number} continues {line['of']}, which continues another one")
            self.continued.add(number)
        elif kind == "gap" and "first" in line:
            self.gaps.append((line["first"], line["last"]))
        self.numbers.append(number)
        if self.known:
            same = {name: value for name, value in line.items() if name != "text"}
            self.records[number] = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).digest()

    def check_coverage(self):
        covered = self.head["records"]
        if covered["shown"] != len(self.numbers):
            raise content("coverage", f"{len(self.numbers)} records stand in the package, the head states {covered['shown']}")
        whole = covered["shown"] + sum(covered["withheld"].values()) + covered["missing"] + covered["unexplained"]
        if covered["last"] - covered["first"] + 1 != whole:
            raise content("coverage", f"the range holds {covered['last'] - covered['first'] + 1} numbers, {whole} are told")
        room, end = 0, covered["first"] - 1
        for first, last in sorted(self.gaps):
            first, last = max(first, end + 1), min(last, covered["last"])
            if first <= last:
                there = bisect.bisect_right(self.numbers, last) - bisect.bisect_left(self.numbers, first)
                room, end = room + last - first + 1 - there, last
        if covered["missing"] > room:
            self.finding("gap-room", f"{covered['missing']} records are missing, and the gaps of this package have room for {room}")
        if covered["unexplained"]:
            self.finding("records-unexplained", f"{covered['unexplained']} records are missing without a reason")

    def check_receipts(self):
        head, expected = self.head, self.head["receipts"]["first"]
        for envelope in self.envelopes:
            payload = base64.b64decode(envelope["payload"])
            if envelope["payloadType"] != TYPE["import-receipt"]:
                raise Refusal("E-SIGNATURE", "wrong-type", f"a receipt is signed as {envelope['payloadType']}")
            verify_status(self.keys, TYPE["import-receipt"], payload, envelope["signatures"])
            try:
                receipt = parse_canonical(payload, receipt_shape, "a receipt")
            except Refusal as refusal:
                raise as_class("E-CONTENT", Refusal(refusal.kind, "receipt", refusal.found)) from None
            if (receipt["site"], receipt["domain"]) != (head["site"], head["domain"]):
                raise content("receipt", "a receipt is of another site or trust domain")
            number = receipt["number"]
            if number > expected and number <= head["receipts"]["last"]:
                raise content("receipts-missing", f"receipt {number} stands where receipt {expected} belongs")
            if number != expected or number > head["receipts"]["last"]:
                raise content("receipt", f"receipt {number} lies outside of the range, or is out of order")
            self.receipts[number] = (payload, receipt)
            expected += 1
        if expected != head["receipts"]["last"] + 1:
            raise content("receipts-missing", f"receipts from {expected} on are missing")

    def check_rows(self):
        head, covered = self.head, self.head["audit"]
        first, last = covered["first"], covered["last"]
        if self.broken or len(self.rows) != last - first + 1:
            raise content("audit-chain", self.broken or f"{len(self.rows)} rows are there, the head states {last - first + 1}")
        if first == 1 and covered["before"] != stream_start(head["site"], head["domain"]):
            raise content("audit-chain", "the log does not begin with the seal of its site and trust domain")
        if (self.rows[last][0] if self.rows else covered["before"]) != covered["hash"]:
            raise content("audit-chain", f"the rows {first} to {last} do not lead to the seal that the head states")
        acts = dict(self.rows.values())
        for number, (_, receipt) in self.receipts.items():
            if acts.get(receipt["audit"]) not in ACTIONS_OF[receipt["result"]]:
                self.finding("receipt-row", f"the row of receipt {number} is not among the carried ones")

    def finding(self, code, found):
        self.findings.append({"code": code, "found": found})

    def report(self):
        if not self.head:
            return {}
        head = self.head
        return {"head": self.digest, "domain": head["domain"], "site": head["site"], "instance": head["instance"], "number": head["number"],
                "made_at": head["made_at"], "shows": head["shows"], "records": head["records"], "receipts": head["receipts"],
                "audit": head["audit"], "bytes": self.size, "approvals": getattr(self, "approvals", []), "lines": self.counts,
                "findings": self.findings, "skipped": ["foreign-release"] + ([] if self.known else ["V5", "V11"])}


def check_format(lines):
    first = lines.split(b"\n")[0]
    if first.startswith(b"airlock-status ") and first != b"airlock-status 1":
        raise format_fault("unsupported-version", "the package is of another version of the format")
    if first.startswith(b"airlock-bundle "):
        raise format_fault("wrong-type", "this is a bundle")
    if first != b"airlock-status 1":
        raise format_fault("not-a-package", "the format line is not that of a status package")
    if not re.fullmatch(rb"airlock-status 1\nvolume [0-9]+/[0-9]+ chunks [0-9]+-[0-9]+\n", lines):
        raise format_fault("format-lines", "the second format line is not one of a volume")


# --- Several packages of one site (V5, V10, V11) ------------------------------------------------------------------

def equivocation(code, found):
    return Refusal("E-EQUIVOCATION", code, found)


# Below so many stored bytes and lines no package was cut short (M-111).
SURELY_WHOLE, LINES_OF_ALL = 262_144, 100_000


class Known:
    """What the packages before told, by (domain, site): what a ledger would hold."""

    def __init__(self):
        self.packages, self.heads, self.begins, self.records, self.receipts, self.seals = {}, {}, {}, {}, {}, {}

    def has(self, digest):
        return any(known == digest for known, _, _ in self.packages.values())

    def compare_head(self, package):
        head = package.head
        scope = (head["domain"], head["site"])
        of = {number: (digest, previous, key) for (where, instance, number), (digest, previous, key) in self.packages.items()
              if (where, instance) == (scope, head["instance"])}
        if head["number"] in of:
            if of[head["number"]][0] == package.digest:
                return "already"
            raise equivocation("package-number", f"package {head['number']} is known by another head")
        if head["number"] - 1 in of and of[head["number"] - 1][0] != head["previous"]:
            raise equivocation("previous", f"package {head['number']} follows another package {head['number'] - 1}")
        if head["number"] + 1 in of and of[head["number"] + 1][1] != package.digest:
            raise equivocation("previous", f"package {head['number'] + 1} follows another package {head['number']}")
        for one in head["lineage"]:
            begins = {kind: one[kind] for kind in NUMBERS}
            if self.begins.get((scope, one["instance"]), begins) != begins:
                raise equivocation("lineage", f"the instance {one['instance']} began elsewhere")
        if of and head["number"] > 1 and head["number"] - 1 not in of:
            package.finding("package-missing", f"package {head['number'] - 1} was not given")
        return "good"

    def compare_rows(self, package):
        head, covered = package.head, package.head["audit"]
        scope = (head["domain"], head["site"])
        told = {covered["first"] - 1: covered["before"], **{number: seal for number, (seal, _) in package.rows.items()}}
        wrong = [number for number, seal in told.items()
                 if number and owner(head, "audit", number) and self.seals.get((scope, owner(head, "audit", number), number), seal) != seal]
        replaced = any(where == scope and key != package.keys[-1]["id"] for (where, _, _), (_, _, key) in self.packages.items())
        if wrong and wrong[0] == covered["first"] - 1 and replaced:
            package.finding("audit-discontinuity", f"the log up to row {wrong.pop(0)} is another one since the key was replaced")
        if wrong:
            raise equivocation("audit-discontinuity", f"rows {wrong[0]} to {wrong[-1]} are not those that came before")

        self.compare_ends(package, "audit", "audit-discontinuity")

    def compare_ends(self, package, kind, code):
        """A later package reaches as far as one before it, but for one that had no room: it is the first of a run, and large."""
        head = package.head
        scope = (head["domain"], head["site"])
        for (where, instance, number), known in self.heads.items():
            if (where, instance) != (scope, head["instance"]):
                continue
            earlier, later = (known, head) if number < head["number"] else (head, known)
            whole = later["totals"]["stored_bytes"] < SURELY_WHOLE and sum(part["lines"] for part in later["parts"]) < LINES_OF_ALL
            if whole and later[kind]["last"] < earlier[kind]["last"]:
                raise equivocation(code, f"{kind} end with {later[kind]['last']} in package {later['number']}, and with "
                                         f"{earlier[kind]['last']} in package {earlier['number']} before it")

    def compare_facts(self, package):
        head = package.head
        scope = (head["domain"], head["site"])
        for number, same in package.records.items():
            if self.records.get((scope, owner(head, "records", number), number), same) != same:
                raise equivocation("record", f"record {number} is not the one that came before")
        for number, (payload, _) in package.receipts.items():
            if self.receipts.get((scope, owner(head, "receipts", number), number), payload) != payload:
                raise equivocation("receipt", f"receipt {number} is not the one that came before")
        self.compare_ends(package, "receipts", "receipt")
        self.compare_ends(package, "records", "record")
        if any(where == scope for where, _, _ in self.packages) and (scope, head["instance"]) not in self.begins:
            package.finding("new-instance", f"the instance {head['instance']} reports for the first time")
        self.keep(package, scope)

    def keep(self, package, scope):
        head = package.head
        self.heads[scope, head["instance"], head["number"]] = head
        self.packages[scope, head["instance"], head["number"]] = (package.digest, head.get("previous"), package.keys[-1]["id"])
        for one in head["lineage"]:
            self.begins[scope, one["instance"]] = {kind: one[kind] for kind in NUMBERS}
        for number, same in package.records.items():
            self.records[scope, owner(head, "records", number), number] = same
        for number, (payload, _) in package.receipts.items():
            self.receipts[scope, owner(head, "receipts", number), number] = payload
        before = head["audit"]["first"] - 1
        if before and owner(head, "audit", before):
            self.seals[scope, owner(head, "audit", before), before] = head["audit"]["before"]
        for number, (seal, _) in package.rows.items():
            self.seals[scope, owner(head, "audit", number), number] = seal
