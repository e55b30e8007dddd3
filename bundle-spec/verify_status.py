"""Which kind of file came back, and its verdict; acknowledgements and exports of the audit log (SPEC.md, sections 14 and 15)."""

import base64
import hashlib
import json
import pathlib
import re

import verify
import verify_package
from verify import ENVELOPE, HEX64, KIB, MIB, SITE, Refusal, as_class, content, integer, list_of, one_of, parse_canonical, record, text, time
from verify_package import NUMBERS, TYPE, format_fault, limit
from verify_summary import judge_summary

# --- Acknowledgement ----------------------------------------------------------------------------------------------

ALARMS = ("audit-discontinuity", "branches", "foreign-release", "lineage", "package-number", "previous", "receipt", "record",
          "records-missing")
ACKNOWLEDGEMENT = record({
    "alarms": list_of(record({"code": one_of(*ALARMS), "number": integer})), "audit": record({"hash": HEX64, "number": integer}),
    "domain": HEX64, "instance": SITE, "issued_at": time, "number": integer,
    "packages": list_of(record({"head": HEX64, "number": integer})), "reader": verify.version, "receipts": integer, "records": integer,
    "requires": list_of(text()), "site": SITE})


def judge_acknowledgement(data, chains, packages):
    """Signature, form, and what the packages given before it bear out."""
    if len(data) > 64 * KIB:
        raise limit("document-size", "an acknowledgement is larger than 64 KiB")
    envelope = parse_canonical(data, ENVELOPE, "an acknowledgement", verify.ENVELOPE_STRINGS)
    payload = base64.b64decode(envelope["payload"])
    if envelope["payloadType"] != TYPE["status-acknowledgement"]:
        raise Refusal("E-SIGNATURE", "wrong-type", f"this is signed as {envelope['payloadType']}")
    refusal = None
    for chain in chains:
        try:
            verify.verify_role(chain.roots[-1], "ack", TYPE["status-acknowledgement"], payload, envelope["signatures"])
            break
        except Refusal as found:
            refusal = found
    else:
        raise refusal
    verify_package.parse_requires(payload, "the acknowledgement")
    made = parse_canonical(payload, ACKNOWLEDGEMENT, "an acknowledgement")
    named = [one["number"] for one in made["packages"]]
    if len(made["alarms"]) > 64 or len(named) > 64:
        raise limit("items", "an acknowledgement lists more than 64 packages or alarms")
    if not made["number"] or 0 in named or not verify.ascending(named):
        raise format_fault("acknowledgement", "the numbers of an acknowledgement and its packages do not begin at 1 and ascend")
    if made["domain"] != chain.domain:
        raise Refusal("E-POLICY", "ack-other", "the acknowledgement is for another trust domain than that of its root")
    if packages:
        compare_acknowledgement(made, packages)
    return {"site": made["site"], "instance": made["instance"], "number": made["number"], "packages": made["packages"],
            "records": made["records"], "receipts": made["receipts"], "audit": made["audit"], "alarms": made["alarms"],
            "skipped": ["ack-older"] if packages else ["ack-other", "ack-older", "never-exported", "ack-beyond", "ack-audit"]}


def compare_acknowledgement(made, packages):
    """What a site judges, by the packages it signed, given in the order of their numbers."""
    of_site = [one for one in packages if (one.head["domain"], one.head["site"]) == (made["domain"], made["site"])]
    if not of_site:
        raise Refusal("E-POLICY", "ack-other", "the acknowledgement is for another site")
    present = of_site[-1].head["instance"]
    signed = {(one.head["number"], one.digest): one for one in of_site if one.head["instance"] == present}
    named = [signed.get((one["number"], one["head"])) for one in made["packages"]]
    if made["instance"] != present or None in named:
        raise Refusal("E-POLICY", "never-exported", "the acknowledgement names what this instance did not sign")
    newest = named[-1].head if named else of_site[-1].head
    start = newest.get("acknowledged", {kind: 0 for kind in NUMBERS})
    for kind, number in (("records", made["records"]), ("receipts", made["receipts"]), ("audit", made["audit"]["number"])):
        covered = start[kind]
        for one in named:
            if one.head[kind]["first"] <= covered + 1:
                covered = max(covered, one.head[kind]["last"])
        if number > covered:
            raise Refusal("E-POLICY", "ack-beyond", f"{kind} up to {number} are acknowledged, the packages named lead to {covered}")
    seals = {}
    for one in of_site:
        seals[one.head["audit"]["first"] - 1] = one.head["audit"]["before"]
        seals.update({number: seal for number, (seal, _) in one.rows.items()})
    if seals.get(made["audit"]["number"], made["audit"]["hash"]) != made["audit"]["hash"]:
        raise Refusal("E-POLICY", "ack-audit", f"row {made['audit']['number']} has another seal here")


# --- Audit export -------------------------------------------------------------------------------------------------

ROW = record({"action": text(), "at": time, "detail": verify_package.an_object, "number": integer})
CHECKPOINT = record({"at": time, "hash": HEX64, "instance": SITE, "number": integer, "site": SITE})


def judge_export(stream, sites):
    """The appliance's whole log, row after row, and the signed checkpoint behind it."""
    seal, number, last = bytes(32), 0, None
    while raw := stream.readline(2 * MIB):
        if last is not None:
            raise format_fault("trailing-data", "lines follow the checkpoint")
        if not raw.endswith(b"\n"):
            raise format_fault("line", "a line is longer than 2 MiB or does not end with a line feed")
        raw = raw[:-1]
        if raw.startswith(b'{"payload":'):
            last = raw
            continue
        row = parse_canonical(raw, ROW, "an audit row", MIB)
        number += 1
        if row["number"] != number:
            raise content("audit-chain", f"row {row['number']} stands where row {number} belongs")
        seal = hashlib.sha256(b"airlock-audit-row-v1\n" + seal + raw).digest()
    if last is None:
        raise Refusal("E-INCOMPLETE", "truncated", "the export ends without a checkpoint")
    envelope = parse_canonical(last, ENVELOPE, "a checkpoint", verify.ENVELOPE_STRINGS)
    payload = base64.b64decode(envelope["payload"])
    if envelope["payloadType"] != TYPE["audit-checkpoint"]:
        raise Refusal("E-SIGNATURE", "wrong-type", f"the last line is signed as {envelope['payloadType']}")
    refusal = verify.distrust("unknown-site", "no site is enrolled")
    for (_, site), keys in sites.keys.items():
        try:
            # By the key that was in force when it was made: an export is kept for long.
            verify_package.verify_status(keys, TYPE["audit-checkpoint"], payload, envelope["signatures"])
            break
        except Refusal as found:
            refusal = found
    else:
        if refusal.code == "below-threshold":
            refusal.found += "; of a site whose keys were replaced, give the enrolment of each: --enrolment OLD --enrolment NEW"
        raise refusal
    checkpoint = parse_canonical(payload, CHECKPOINT, "a checkpoint")
    if checkpoint["site"] != site:
        raise verify.distrust("site", "the checkpoint names another site than its key's")
    if (checkpoint["number"], checkpoint["hash"]) != (number, seal.hex()):
        raise content("audit-chain", f"{number} rows do not lead to the seal that is signed for row {checkpoint['number']}")
    return {"rows": number, "site": site, "instance": checkpoint["instance"], "at": checkpoint["at"], "hash": seal.hex()}


# --- Files --------------------------------------------------------------------------------------------------------

def kind_of(beginning):
    if beginning.startswith(b'{"payload":'):
        return "acknowledgement"
    if beginning.startswith(b'{"action":'):
        return "audit export"
    if beginning[:1] == b"\x01" or re.match(rb"AIRLOCK1/|[0-9]{2} [A-Z2-7]", beginning):
        return "summary"
    return "package"


def refused(refusal, kind, report):
    return {"verdict": "refused", "class": refusal.kind, "code": refusal.code, "found": refusal.found, "kind": kind,
            "exit": verify.EXIT[refusal.kind], **({"step": refusal.step} if refusal.step else {}), **report}


class Judge:
    """Files of sites, one after the other; what a package told counts for those behind it."""

    def __init__(self, enrolments, trust=(), several=True):
        self.sites = verify_package.Sites([pathlib.Path(path).read_bytes() for path in enrolments])
        self.chains = [verify.Chain(pathlib.Path(path).read_bytes()) for path in trust]
        self.known = verify_package.Known() if several else None
        self.packages = []

    def file(self, path):
        try:
            with open(path, "rb") as stream:
                return self.stream(stream)
        except OSError as error:
            return {"verdict": "refused", "class": "E-IO", "code": "io", "step": "V0", "exit": verify.EXIT["E-IO"], "kind": "file",
                    "found": f"cannot read {verify.quoted(str(path))}: {error.strerror}"}

    def stream(self, stream):
        kind = kind_of(stream.peek(512)[:512])
        package = None
        try:
            if kind == "package":
                package = verify_package.Package(stream, self.sites, self.known)
                verdict = package.run()
                if verdict == "good" and self.known:
                    self.packages.append(package)
                return {"verdict": verdict, "kind": kind, "exit": 0, **package.report()}
            if kind == "acknowledgement":
                if not self.chains:
                    raise Refusal("E-USAGE", "trust", "an acknowledgement is judged by a root: give --trust")
                found = judge_acknowledgement(stream.read(64 * KIB + 1), self.chains, self.packages)
            elif kind == "summary":
                found = judge_summary(stream.read(64 * KIB + 1), self.sites)
            else:
                found = judge_export(stream, self.sites)
            return {"verdict": "good", "kind": kind, "exit": 0, **found}
        except Refusal as refusal:
            return refused(refusal, kind, package.report() if package else {})


def judge(files, enrolments, trust=()):
    """One verdict a file, in their order."""
    try:
        judged = Judge(enrolments, trust, len(files) > 1)
    except Refusal as refusal:
        return [refused(as_class("E-TRUST", refusal), "enrolment", {})]
    except OSError as error:
        return [{"verdict": "refused", "class": "E-IO", "code": "io", "exit": verify.EXIT["E-IO"], "kind": "enrolment",
                 "found": f"cannot open {verify.quoted(str(error.filename))}: {error.strerror}"}]
    return [judged.file(path) for path in files]


def range_of(what, covered):
    """From which number to which; an empty range ends before it begins."""
    return f"no {what}" if covered["last"] < covered["first"] else f"{what} {covered['first']} to {covered['last']}"


def lines_of(found):
    """A verdict for people."""
    if found["verdict"] == "refused":
        yield f"refused: {found['class']} {found['code']}{' at ' + found['step'] if 'step' in found else ''}: {found['found']}"
        return
    if found["kind"] != "package":
        rest = {name: value for name, value in found.items() if name not in ("verdict", "kind", "exit")}
        yield f"{found['verdict']}: {found['kind']} {json.dumps(rest, ensure_ascii=False)}"
        return
    yield (f"{found['verdict']}: package {found['number']} of site {found['site']}, instance {found['instance']}, made at {found['made_at']}, "
           f"head {found['head']}")
    if found["verdict"] == "already":
        return
    covered = found["records"]
    withheld = ", ".join(f"{count} {name}" for name, count in covered["withheld"].items() if count) or "none"
    yield f"  shows {', '.join(found['shows']) or 'the least'}; lines: {', '.join(f'{count} {kind}' for kind, count in found['lines'].items())}"
    yield (f"  {range_of('records', covered)}: {covered['shown']} shown, withheld {withheld}, {covered['missing']} missing, "
           f"{covered['unexplained']} unexplained")
    yield f"  {range_of('receipts', found['receipts'])}, {range_of('audit rows', found['audit'])}, seal {found['audit']['hash']}"
    yield f"  not judged: {', '.join(found['skipped'])}"
    for one in found["findings"]:
        yield f"  finding {one['code']}: {one['found']}"
