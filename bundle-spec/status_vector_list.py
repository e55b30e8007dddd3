"""The vectors of what comes back from a site, good and bad: what each is, and how it must be judged (see make_status_vectors.py)."""

import base64
import copy
import hashlib
import json
import struct

import make_vectors
import verify
import verify_package
import verify_summary
from make_status_vectors import (CHANNEL, DEPLOYMENT, DOMAIN, INSTANCE, NEWER, OLDER, OTHER_DOMAIN, OTHER_SITE, PRODUCT, RELEASE, REPLACED, REVISION,
                                 SECOND, SITE, STATUS, TARGET, THIRD, Recipe, age, deployment_line, enrolment, leb128, receipt, release_line, rows_of_life,
                                 sealed, series_of, signed_summary, spoken_of, status_line, target_line, withheld)
from make_vectors import canonical, chain_file, digest, envelope, key, root, rule
from verify_package import PART_BYTES, TYPE

LEAST = "good/least/1.airlock-status"
LOCAL_TARGET = verify.derived("local-target", TARGET, "1")
LOCAL_DEPLOYMENT = verify.derived("local-deployment", LOCAL_TARGET, DEPLOYMENT)
REFUSED = {"class": "E-CONTENT", "code": "not-carried", "step": "X13", "head": NEWER, "sequence": 8, "version": "1.1"}
NEXT_ROWS = [("status-sign", "2026-11-21T12:10:00Z", {"head": "", "number": 1}),
             ("import", "2026-11-21T13:00:00Z", {"channel": CHANNEL, "epoch": 0, "head": NEWER, "product": PRODUCT, "receipt": 3, "sequence": 8})]


def fill(vectors):
    """Add every vector."""
    good(vectors)
    good_runs(vectors)
    good_others(vectors)
    bad_opening(vectors)
    bad_head(vectors)
    bad_payload(vectors)
    bad_lines(vectors)
    bad_logs(vectors)
    bad_sequences(vectors)
    bad_acknowledgements(vectors)
    bad_summaries(vectors)
    bad_exports(vectors)


# --- Good packages ------------------------------------------------------------------------------------------------

def good(vectors):
    vectors.good("unrounded", Recipe(), "the least package, its size not rounded: readers take any multiple of 512", make={"rounded": False, "approvals": 0})
    vectors.good("least", least(), "one release, one deployment, nothing beyond the least", make=MAKE)
    vectors.good("standard", standard(), "versions of agents, newest metrics, days of metrics", make=MAKE)
    vectors.good("full", full(), "every kind of line, every word, every member", make=MAKE)
    vectors.good("empty", empty(), "nothing to tell since the acknowledgement: no part, no chunk, empty ranges", make=MAKE)
    vectors.good("empty-ranges", empty(True), "empty ranges, and the snapshots of releases and targets all the same", make=MAKE)
    approved = least()
    approved.rule = 2
    vectors.good("approvals", approved, "two approvals of site keys, which the vendor does not judge", make={**MAKE, "approvals": 2})
    vectors.good("surplus-signature", Recipe().on("signatures", lambda made: sorted(
        [*made, key("stranger").signature(TYPE["status-head"], b"")], key=lambda one: one["keyid"])),
        "a second signature by a key that nobody enrolled is ignored")
    vectors.good("two-pages", two_pages(), "records in two parts: a page is filled before the next begins", make=MAKE)
    vectors.good("gap-room", Recipe().on("head", lambda head: head["records"].update(missing=4, withheld=withheld(metrics=232, status=2))),
                 "numbers are missing that no gap of this package explains: a finding")
    vectors.good("receipt-row", with_(receipts=[receipt(1, 2, seal="ab" * 32), receipt(2, 3, "activated")]),
                 "the row of a receipt is not among the carried ones: a finding")


MAKE = {"rounded": True, "approvals": 0}


def with_(**members):
    """The least package with other members."""
    recipe = Recipe()
    for name, value in members.items():
        if name == "receipts":
            for one in value:
                if "seal" in one["payload"]:
                    one["seal"] = one["payload"].pop("seal")
        setattr(recipe, name, value)
    return recipe


def least():
    recipe = Recipe()
    recipe.rounded = True
    return recipe


def standard():
    recipe = Recipe(shows=["agents", "metrics"])
    recipe.rounded = True
    recipe.lines["targets"][0] = target_line(agent="2.1.0", metrics={
        "cores": 4000, "cpu": 125_000, "disks": [[500_000_000_000, 210_000_000_000]], "memory": 16_000_000_000, "memory_used": 7_000_000_000})
    recipe.lines["metrics"] = [metrics_line("2026-11-19"), metrics_line("2026-11-20", disk=420_000)]
    return recipe


def metrics_line(day, **more):
    return {"cpu": [10_000, 120_000, 900_000], "day": day, "memory": [300_000, 310_000, 450_000], "samples": 1440, "target": TARGET, **more}


def full():
    recipe = Recipe(shows=["agent-logs", "agents", "local-names", "logs", "metrics", "status-text"])
    recipe.rounded = True
    recipe.rows = rows_of_life() + [
        ("refuse", "2026-11-21T10:30:00Z", {"class": "E-CONTENT", "code": "not-carried", "head": NEWER, "receipt": 3, "step": "X13"}),
        ("target-add", "2026-11-21T10:31:00Z", {"follows": TARGET, "target": LOCAL_TARGET}),
        ("clock", "2026-11-21T10:40:00Z", {"from": "2026-11-21T10:40:00Z", "times": 2, "to": "2026-11-21T10:35:00Z"}),
        ("a-word-of-later", "2026-11-21T10:41:00Z", {"list": [1, {"deep": True}]})]
    recipe.receipts += [receipt(3, 4, "refused", "2026-11-21T10:30:00Z", **REFUSED)]
    recipe.lines["releases"] = [
        release_line(epoch=0, head=OLDER, sequence=6, since="2026-11-21T10:00:00Z", state="retired", version=None),
        release_line(), without(release_line(head=NEWER, sequence=9, state="available"), "since"),
        {"digest": digest(b"damaged"), "kind": "damaged", "size": 7}]
    recipe.lines["releases"] = [without(line, "version") for line in recipe.lines["releases"]]
    targets = [[target_line(agent="2.1.0", metrics={"cores": 4000, "cpu": 1, "disks": [], "memory": 2, "memory_used": 1}), *deployments()],
               [target_line(target=LOCAL_TARGET, follows=TARGET, name="hall 3, \\e2\\80\\aeleft\\0a", agent=""),
                {"deployment": LOCAL_DEPLOYMENT, "doubt": "no-status", "kind": "deployment", "target": LOCAL_TARGET, "wanted": REVISION}],
               [{"kind": "target", "removed": "2026-11-21T11:00:00Z", "target": uuid(9)}]]
    recipe.lines["targets"] = [line for lines in sorted(targets, key=lambda lines: lines[0]["target"]) for line in lines]
    recipe.lines["metrics"] = [metrics_line("2026-11-20")]
    recipe.lines["records"] = [
        status_line(1, at="2026-11-21T10:00:35Z", state="progressing", signal="preparing", text=""),
        status_line(2, text="Container web  Started", count=1411, entered=3, last="2026-11-21T11:58:55Z"),
        status_line(5, "status", text="\\1b[31mred\\1b[0m \\5c n\\c2\\85t\\e2\\80\\ae, \u00fcml\u00e4ut \U0001f600 \\.. \\..\\0a"),
        status_line(6, "continued", of=2, text="the same", count=2, last="2026-11-21T11:58:55Z"),
        {**log_line(7, "2026-11-21T11:00:00.123456789Z"), "deployment": DEPLOYMENT, "kind": "log", "resource": "web-1", "revision": REVISION},
        {**log_line(8, "2026-11-21T11:00:01Z"), "kind": "agent-log"}]
    recipe.lines["records"] += [status_line(10 + number, state=state, signal=signal, text="") for number, (state, signal) in enumerate((
        ("error", "failed"), ("error", "untouched"), ("error", "rolled-back"), ("progressing", "replacing"), ("healthy", "well"),
        ("running", "cluster-check"), ("progressing", "nothing")))]
    recipe.lines["records"] += [gap_line(20 + number, reason=reason, **more) for number, (reason, more) in enumerate((
        ("quota", {"class": "log", "first": 3, "last": 4}), ("rate", {"class": "agent-log"}), ("flapping", {"class": "transition", "target": TARGET}),
        ("damaged", {"class": "any", "exact": False}), ("restored", {"class": "any", "first": 100, "last": 150}),
        ("folded", {"class": "metrics", "first": 90, "last": 99, "target": TARGET}), ("quota", {"class": "status"}),
        ("quota", {"class": "continued"}), ("quota", {"class": "gap"})))]
    # The gaps have room for the records 3, 4 and 90 to 150; so many are missing, the rest is withheld.
    recipe.missing, recipe.unexplained = 63, 1
    recipe.withheld = withheld(metrics=240 - 22 - 64)
    return recipe


def deployments():
    """Behind the target: one for each doubt, one that was taken away."""
    lines = [deployment_line(runs=None, doubt=doubt, deployment=uuid(20 + number), number=number + 1, signal="failed", state="error")
             for number, doubt in enumerate(("waiting", "applying", "before", "half-applied", "failed-upgrade", "unseen"))]
    lines += [deployment_line(), deployment_line(runs=None, deployment=uuid(30), removed="2026-11-21T11:30:00Z", wanted=None),
              deployment_line(runs=None, doubt="removing", deployment=uuid(31), removed="2026-11-21T11:30:00Z", wanted=None)]
    return sorted(lines, key=lambda line: line["deployment"])


def uuid(number):
    return f"{number:08x}-0000-4000-8000-000000000000"


def without(line, *names):
    return {name: value for name, value in line.items() if name not in names}


def log_line(number, at, text="listening on \\.."):
    return {"at": "2026-11-21T11:00:02Z", "number": number, "severity": "info", "target": TARGET, "text": text, "time": at}


def gap_line(number, **more):
    return {"at": "2026-11-21T11:40:00Z", "bytes": 0, "class": "any", "count": 10, "exact": True, "kind": "gap", "number": number,
            "reason": "quota", "since": "2026-11-21T11:00:00Z", "until": "2026-11-21T11:30:00Z", **more}


def empty(snapshots=False):
    """What stands after package 1 was acknowledged and nothing more happened."""
    recipe = following(least(), [], rows=[], last=240)
    recipe.head["acknowledged"] = {"audit": 3, "number": 1, "receipts": 2, "records": 240}
    recipe.lines = {name: lines if snapshots and name in ("releases", "targets") else [] for name, lines in recipe.lines.items()}
    recipe.withheld, recipe.rounded = withheld(), True
    return recipe


def two_pages():
    recipe = Recipe(shows=["agent-logs"])
    size = 262_144
    recipe.lines["records"] = [{**log_line(number, "2026-11-21T11:00:01Z", "x" * size), "kind": "agent-log"} for number in range(1, 18)]
    recipe.last, recipe.withheld, recipe.rounded = 17, withheld(), True
    return recipe


# --- Several packages ---------------------------------------------------------------------------------------------

def built(recipe):
    recipe.build()
    return recipe


def following(before, receipts, rows, last, number=None, **head):
    """The next package of the same instance, whose ranges begin behind those of the one before."""
    built(before)
    recipe = Recipe(number=number or before.head["number"] + 1, previous=before.digest, made_at="2026-11-21T13:00:00Z", **head)
    recipe.firsts = {"records": before.last + 1, "receipts": before.firsts["receipts"] + len(before.receipts),
                     "audit": before.firsts["audit"] + len(before.rows)}
    _, seals = before.seals()
    recipe.before = list(seals.values())[-1][1]
    recipe.receipts, recipe.rows, recipe.last = receipts, rows, last
    recipe.lines = {name: lines for name, lines in recipe.lines.items()}
    recipe.lines["records"] = []
    recipe.withheld = withheld(metrics=last - before.last)
    return recipe


def overlap(before, **head):
    """A second package that was made before an acknowledgement of the first one came: it covers both."""
    built(before)
    recipe = Recipe(number=2, previous=before.digest, made_at="2026-11-21T13:10:00Z", **head)
    action, at, detail = NEXT_ROWS[0]
    recipe.rows = before.rows + [(action, at, {**detail, "head": before.digest}), NEXT_ROWS[1]]
    recipe.receipts = before.receipts + [receipt(3, 5, "imported", "2026-11-21T13:00:00Z", head=NEWER, sequence=8, version="1.1")]
    recipe.lines = {**before.lines, "records": before.lines["records"] + [status_line(241, "continued", of=2, count=800, last="2026-11-21T13:05:00Z")]}
    recipe.last, recipe.withheld = 300, withheld(metrics=295, status=2)
    return recipe


def run_of_two():
    first = Recipe()
    first.lines["records"], first.last, first.withheld = first.lines["records"][:1], 1, withheld()
    second = following(first, [], rows=[], last=240)
    second.lines["records"] = [status_line(2, count=1411, last="2026-11-21T11:58:55Z")]
    second.withheld = withheld(metrics=236, status=2)
    return first, second


def other_life(before, acknowledged=None, instance=SECOND, rows=(), lineage=None, **head):
    """Package 1 of a later instance: it begins right behind what both sides share."""
    begins = {"records": 240, "receipts": 2, "audit": 3} if acknowledged else {"records": 0, "receipts": 0, "audit": 0}
    entry = {"instance": instance, **{kind: number + 1 for kind, number in begins.items()}}
    lineage = [*(lineage or (before.head["lineage"] if acknowledged else [])), entry]
    recipe = Recipe(instance=instance, lineage=lineage, made_at="2026-11-21T15:00:00Z",
                    **({"acknowledged": {"number": acknowledged, **begins}} if acknowledged else {}), **head)
    recipe.firsts = {kind: number + 1 for kind, number in begins.items()}
    _, seals = before.seals()
    recipe.before = seals[begins["audit"]][1] if acknowledged else None
    recipe.rows = [("instance", "2026-11-21T14:00:00Z", {"instance": instance, "parent": INSTANCE, "reason": "restored"}), *rows]
    recipe.receipts, recipe.last, recipe.withheld = [], begins["records"] + 20, withheld(metrics=19)
    recipe.lines["records"] = [status_line(begins["records"] + 1, at="2026-11-21T14:01:00Z", state="error", signal="failed")]
    return recipe


def full_lineage(records=9):
    """Package 1 of an instance with as many before it as a lineage may name: the first ones are left out."""
    begins = {"audit": 2, "receipts": 3, "records": records}
    return other_life(least(), 1, lineage=[{"instance": f"{number:032x}", **begins} for number in range(1, 256)])


def new_key():
    """The status key was replaced after package 1 was acknowledged in part: receipt 2 comes again, signed by the key of its time."""
    before = with_(signer=REPLACED, rows=rows_of_life(signer=REPLACED), receipts=[
        receipt(1, 2, signer=REPLACED), receipt(2, 3, "activated", "2026-11-21T10:00:00Z", signer=REPLACED)])
    built(before)
    recipe = Recipe(instance=SECOND, made_at="2026-11-21T15:00:00Z", acknowledged={"audit": 2, "number": 1, "receipts": 1, "records": 240},
                    lineage=[*before.head["lineage"], {"audit": 3, "instance": SECOND, "receipts": 2, "records": 241}])
    recipe.firsts = {"records": 241, "receipts": 2, "audit": 3}
    _, seals = before.seals()
    recipe.before = seals[2][1]
    recipe.rows = [before.rows[2], ("status-key", "2026-11-21T14:00:00Z", {"keyid": STATUS.id}),
                   ("instance", "2026-11-21T14:00:00Z", {"instance": SECOND, "parent": INSTANCE, "reason": "status-key"})]
    recipe.receipts = [receipt(2, 3, "activated", "2026-11-21T10:00:00Z", signer=REPLACED)]
    recipe.lines["records"], recipe.last, recipe.withheld = [], 260, withheld(metrics=20)
    return before, recipe


def keys_of_site():
    return [enrolment(REPLACED), enrolment(STATUS, at="2026-11-21T14:00:00Z")]


def good_runs(vectors):
    first, second = run_of_two()
    vectors.good("run-of-two", [first, second], "a package that would have been too large: two, the second begins where the first ends")
    vectors.good("run-of-two-turned", ["good/run-of-two/2.airlock-status", "good/run-of-two/1.airlock-status"], "the same two, in the other order")
    vectors.good("overlap", [LEAST, overlap(least())], "the second one covers what the first one told, and more")
    shown = overlap(least(), shows=["status-text"])
    shown.lines["records"] = [{**line, "text": "now shown"} for line in shown.lines["records"]]
    vectors.good("overlap-text", [LEAST, shown], "the same records again, with their texts this time")
    vectors.good("already", [LEAST, LEAST], "the same package twice", verdict="already")
    alone = overlap(least())
    vectors.good("later-first", [alone, LEAST], "a package that comes after the one that covers it")
    before, after = new_key()
    vectors.good("replaced-key", [after], "under a new key; a receipt is signed by the key of its time", enrolments=keys_of_site())
    vectors.good("new-instance", [LEAST, other_life(least(), 1)], "the state folder was restored: another instance, behind what was acknowledged")
    lost = other_life(least(), None)
    vectors.good("new-instance-first", [LEAST, lost], "nothing was acknowledged: the other instance begins at 1, and is the only one of the lineage")
    turned = overlap(least())
    vectors.good("turned-back", [LEAST, turned, other_life(least(), 1)],
                 "package 2 went out, then the disk was turned back and it was declared: the other instance tells other facts under the same numbers")
    third = other_life(least(), 1, THIRD, lineage=[*least().head["lineage"], {"audit": 4, "instance": SECOND, "receipts": 3, "records": 241}])
    vectors.good("lineage-full", [LEAST, full_lineage()], "256 instances: those before them, of which everything is acknowledged, are left out")
    vectors.good("third-instance", [LEAST, other_life(least(), 1), third], "a third life; what the second one told stays apart")


# --- Good: acknowledgements, summaries, exports -------------------------------------------------------------------

ROOT = root()
ROOT_1 = envelope(ROOT, ["root"])
ACK_CHAIN = chain_file(ROOT_1)
ACK_DOMAIN = digest(base64.b64decode(ROOT_1["payload"]))[7:]


def of_domain(recipe=None, **head):
    """The least package under the trust domain of a root, whose ack key acknowledges it."""
    recipe = recipe or Recipe()
    recipe.head.update(domain=ACK_DOMAIN, **head)
    for one in recipe.receipts:
        one["payload"]["domain"] = ACK_DOMAIN
    return built(recipe)


def ack_enrolment():
    return [enrolment(domains=(ACK_DOMAIN,))]


def acknowledgement(package=None, signers=("ack",), purpose="status-acknowledgement", change=None, **more):
    package = package or of_domain()
    _, seals = package.seals()
    made = {"alarms": [], "audit": {"hash": list(seals.values())[-1][1] if seals else package.before, "number": package.firsts["audit"] + len(seals) - 1}, "domain": ACK_DOMAIN,
            "instance": package.head["instance"], "issued_at": "2026-11-22T08:00:00Z", "number": 1,
            "packages": [{"head": package.digest, "number": package.head["number"]}], "reader": "0.2.0", "receipts": 2, "records": 240,
            "requires": [], "site": SITE, **more}
    payload = canonical(made)
    payload = change(payload) if change else payload
    signatures = sorted((key(name).signature(TYPE[purpose], payload) for name in signers), key=lambda one: one["keyid"])
    return canonical({"payload": base64.b64encode(payload).decode(), "payloadType": TYPE[purpose], "signatures": signatures})


def summary_plain(recipe, releases, **more):
    """P of a package; `releases` as bytes."""
    built(recipe)
    _, seals = recipe.seals()
    numbers = [recipe.last, recipe.firsts["receipts"] + len(recipe.receipts) - 1, recipe.firsts["audit"] + len(recipe.rows) - 1]
    return (b"\x01" + bytes.fromhex(SITE)[:4] + bytes.fromhex(INSTANCE)[:8] + leb128(recipe.head["number"]) + bytes.fromhex(recipe.digest)[:16]
            + (1795262400).to_bytes(4, "big") + b"".join(map(leb128, numbers)) + bytes.fromhex(list(seals.values())[-1][1])[:8]
            + more.get("counts", bytes(3)) + releases)


# The example of SPEC.md, section 16.
WORKED = bytes.fromhex("01012345671111222233334444" "01" "46b737424eea790b4cebcb5e4f0ad8ff" "6b0187c0" "f00102037adf68a3ad51667b" "000000"
                       "01efefefefefef012001041f00")


def live(head=RELEASE, states=((4, 118),), local=(), minutes=120):
    """A live release: the states of its deployments as (state byte, minutes), and those made at the site."""
    return (bytes.fromhex(head)[:6] + bytes([1, age(minutes)]) + leb128(len(states)) + b"".join(bytes([state, age(old)]) for state, old in states)
            + leb128(len(local)) + b"".join(bytes.fromhex(name.replace("-", ""))[:8] + bytes([state, age(old)]) for name, state, old in local))


def waiting(head=NEWER, minutes=5):
    return bytes.fromhex(head)[:6] + bytes([0, age(minutes)])


def counted(numbers, other):
    return bytes.fromhex(OLDER)[:6] + bytes([3, age(120)]) + b"".join(map(leb128, numbers)) + leb128(other) + leb128(0)


def text_of_series(data):
    return ("\n".join(series_of(data)) + "\n").encode()


def audit_export(signer=STATUS, change=None, **more):
    """Three rows of the appliance's whole log and the checkpoint."""
    seal, lines = bytes(32), []
    for number, (action, at, detail) in enumerate((
            ("init", "2026-11-21T09:00:00Z", {"site": SITE}), ("import", "2026-11-21T09:58:00Z", {"head": RELEASE, "path": "/media/stick/b.airlock"}),
            ("status-seal", "2026-11-21T12:00:00Z", {"domain": DOMAIN, "head": "ab" * 32, "number": 1, "shows": []})), start=1):
        raw = canonical({"action": action, "at": at, "detail": detail, "number": number})
        seal = hashlib.sha256(b"airlock-audit-row-v1\n" + seal + raw).digest()
        lines.append(raw)
    checkpoint = {"at": "2026-11-21T12:30:00Z", "hash": seal.hex(), "instance": INSTANCE, "number": len(lines), "site": SITE, **more}
    lines.append(canonical(sealed(checkpoint, signer, "audit-checkpoint")))
    lines = change(lines) if change else lines
    return b"".join(line + b"\n" for line in lines)


def good_others(vectors):
    package = of_domain()
    vectors.good("acknowledgement", [package, ("acknowledgement.json", acknowledgement())], "the package of a site, and the vendor's answer",
                 enrolments=ack_enrolment(), trust=[ACK_CHAIN])
    first, second = run_of_two()
    first, second = of_domain(first), of_domain(second)
    second = of_domain(following(first, [], rows=[], last=240))
    both = acknowledgement(second, audit={"hash": second.before, "number": 3}, packages=[
        {"head": one.digest, "number": one.head["number"]} for one in (first, second)], alarms=[
            {"code": "branches", "number": 1}, {"code": "records-missing", "number": 1}])
    vectors.good("acknowledgement-run", [first, second, ("acknowledgement.json", both)], "both packages of a run, named, and two alarms",
                 enrolments=ack_enrolment(), trust=[ACK_CHAIN])
    rotated = chain_file(ROOT_1, envelope(root(2, ack=[rule(["ack-2"])]), ["root"]))
    vectors.good("acknowledgement-new-key", [("acknowledgement.json", acknowledgement(signers=("ack-2",)))], "by the ack key of a later root",
                 enrolments=ack_enrolment(), trust=[rotated])
    vectors.good("summary-example", [("summary.txt", text_of_series(signed_summary(WORKED)))], "the example of the text, one code")
    vectors.good("summary-binary", [("summary.bin", signed_summary(WORKED))], "the same as bytes")
    vectors.good("summary-spoken", [("summary.txt", ("\n".join(spoken_of(signed_summary(WORKED))) + "\n").encode())], "the same, dictated")
    states = [(state | runs << 3 | gone, 3 ** (number % 14)) for number, (state, runs, gone) in enumerate(
        (number % 6, number // 6 % 3, 0x20 if number % 7 == 0 else 0) for number in range(2_000))]
    release = leb128(3) + live(states=states, local=[(LOCAL_DEPLOYMENT, 5, 60), (uuid(0xffffffff), 1, 10_000_000)]) + waiting() + counted(
        (1, 20, 300, 4000, 50_000, 600_000), 7)
    plain = summary_plain(least(), release, counts=leb128(64) + leb128(1) + leb128(300))
    lines = series_of(signed_summary(plain))
    vectors.good("summary-eleven", [("summary.txt", ("\n".join(lines[::-1]) + "\n").encode())],
                 "eleven codes, read in the wrong order: two thousand deployments, a release that waits, one that is counted only")
    vectors.good("audit-export", [("audit.jsonl", audit_export())], "the whole log of an appliance, with its checkpoint")
    vectors.good("audit-export-replaced-key", [("audit.jsonl", audit_export(signer=REPLACED))], "the log as it was exported under the key of before",
                 enrolments=keys_of_site())


# --- Bad: what stands before the head -----------------------------------------------------------------------------

def bytes_at(name, offset, value):
    """Bytes of an entry's content changed."""
    def change(entries):
        for entry in entries:
            if entry[0].startswith(name.encode()):
                entry[1] = entry[1][:offset] + value + entry[1][offset + len(value):]
    return change


def bad_opening(vectors):
    def first(name, value, says, code):
        vectors.bad(name, Recipe().on("first", lambda _: value), says, "E-FORMAT", code, "V1")

    first("v1-version-2", b"airlock-status 2\nvolume 1/1 chunks 1-1\n", "another version of the format", "unsupported-version")
    first("v1-other-words", b"airlock-stat 1\nvolume 1/1 chunks 1-1\n", "another format line", "not-a-package")
    first("v1-second-line", b"airlock-status 1\nvolume 1/1 chunks 1 to 1\n", "a second line of another form", "format-lines")
    vectors.bad("v1-bundle", make_vectors.Recipe(make_vectors.Content()).build(), "a bundle in the place of a package", "E-FORMAT", "wrong-type", "V1")
    vectors.bad("v1-empty", b"", "no byte", "E-FORMAT", "truncated", "V1")
    whole = Recipe().build()
    vectors.bad("v1-cut", whole[:3000], "cut inside the first entries", "E-FORMAT", "truncated", "V1")
    vectors.bad("v1-header", Recipe().on("entries", lambda entries: entries[2].__setitem__(0, entries[2][0][:100] + b"0000755" + entries[2][0][107:])),
                "a header with another mode", "E-FORMAT", "header", "V1")
    vectors.bad("v1-padding", Recipe().on("entries", lambda entries: entries[1].__setitem__(2, b"x" + entries[1][2][1:])),
                "padding that is not zero", "E-FORMAT", "padding", "V1")
    vectors.bad("v1-cap", Recipe().on("entries", lambda entries: entries[0].__setitem__(0, verify.tar_header("00-format", 129))),
                "an entry above its cap", "E-LIMIT", "size", "V1")
    vectors.bad("v1-33-signatures", Recipe().on("signatures", lambda made: made * 33), "more signatures than 32", "E-LIMIT", "signatures", "V1")
    vectors.bad("v1-33-approvals", Recipe().on("approvals", lambda _: [STATUS.signature(TYPE["export-approval"], b"")] * 33),
                "more approvals than 32", "E-LIMIT", "signatures", "V1")

    def trust(name, change, says, code, **more):
        vectors.bad(name, Recipe().on("trust", change), says, "E-TRUST", code, "V2", **more)

    trust("v2-space", lambda raw: raw.replace(b":", b": ", 1), "entry 02 not in canonical form", "non-canonical")
    trust("v2-roots", lambda raw: raw.replace(b"enrolments", b"roots"), "entry 02 of a bundle", "grammar")
    trust("v2-unknown-domain", lambda raw: raw.replace(b"cdcd", b"dcdc"), "a trust domain that is not this one", "unknown-domain")
    trust("v2-unknown-site", lambda raw: raw.replace(b'"0123', b'"1123'), "a site that is not enrolled", "unknown-site")
    link = json.loads(enrolment(REPLACED))
    trust("v2-enrolments", lambda raw: raw.replace(b"[]", b"[" + canonical(link) + b"]"), "an enrolment inside, which no version knows yet", "enrolments")

    def signed(name, change, says, code="below-threshold", **more):
        vectors.bad(name, Recipe().on("signatures", change), says, "E-SIGNATURE", code, "V3", **more)

    signed("v3-none", lambda _: [], "no signature")
    stranger = with_(signer=key("stranger"))
    vectors.bad("v3-stranger", stranger, "signed by a key that is not the site's", "E-SIGNATURE", "below-threshold", "V3")
    for purpose in ("import-receipt", "export-approval"):
        recipe = Recipe()
        recipe.on("signatures", lambda _, recipe=recipe, purpose=purpose: [STATUS.signature(TYPE[purpose], recipe.head_bytes)])
        recipe.on("head_bytes", lambda raw, recipe=recipe: setattr(recipe, "head_bytes", raw))
        vectors.bad(f"v3-type-{purpose}", recipe, f"signed as {purpose}", "E-SIGNATURE", "bad-signature", "V3")
    recipe = Recipe()
    recipe.on("signatures", lambda _: [STATUS.signature(verify.BUNDLE_HEAD, recipe.head_bytes)])
    recipe.on("head_bytes", lambda raw: setattr(recipe, "head_bytes", raw))
    vectors.bad("v3-type-bundle-head", recipe, "signed as the head of a bundle", "E-SIGNATURE", "bad-signature", "V3")
    signed("v3-other-document", lambda _: [STATUS.signature(TYPE["status-head"], b"{}")], "a signature of another document", "bad-signature")
    signed("v3-form", lambda made: canonical({"signatures": made}).replace(b":[", b": [", 1), "the list not in canonical form", "non-canonical")
    vectors.bad("v3-replaced-key", with_(signer=REPLACED), "signed by the key that was replaced", "E-SIGNATURE", "replaced-key", "V3",
                enrolments=keys_of_site())
    vectors.bad("v3-head-flipped", Recipe().on("entries", bytes_at("03-head", 20, b"x")), "a byte of the head changed", "E-SIGNATURE",
                "bad-signature", "V3")


# --- Bad: head ----------------------------------------------------------------------------------------------------

def bad_head(vectors):
    def head(name, change, says, code="grammar", kind="E-FORMAT", recipe=None, **more):
        vectors.bad(name, (recipe or Recipe()).on("head", change), says, kind, code, "V4", **more)

    def with_member(*path_and_value):
        *path, last, value = path_and_value

        def change(head):
            place = head
            for step in path:
                place = place[step]
            if value is GONE:
                del place[last]
            else:
                place[last] = value
        return change

    head("v4-requires", with_member("requires", ["age-1"]), "needs what this version cannot read", "needs-newer-reader")
    head("v4-unknown", with_member("weather", "fair"), "a member that nobody knows")
    head("v4-missing", with_member("statement", GONE), "a member is missing")
    head("v4-null", with_member("previous", None), "null for a member left out", "non-canonical")
    head("v4-space", lambda made: canonical(made).replace(b":", b": ", 1), "white space", "non-canonical")
    head("v4-chunk-bytes", with_member("chunk_bytes", 1 << 20), "another size of chunks", "chunk-bytes")
    head("v4-builder", with_member("builder", "name", ""), "a builder without a name", "labels")
    head("v4-payload-offset", lambda made: made.update(payload_offset=made["payload_offset"] + 1), "payload_offset is no multiple of 512", "payload-offset")
    head("v4-volumes", with_member("volumes", [1, 1]), "two volumes", "volumes")
    head("v4-two-pages", lambda made: made.update(index=made["index"] * 2), "two index pages", "index-size", "E-LIMIT")
    head("v4-empty-page", lambda made: made["index"][0].update(size=0), "an index page of no byte", "index")
    head("v4-needs", with_member("totals", "needs", 1), "content that the reader is to have", "totals")
    head("v4-early", lambda made: made["totals"].update(early_blobs=made["totals"]["early_blobs"] - 1), "not all parts are early", "totals")
    head("v4-blobs", lambda made: made["totals"].update(blobs=6, early_blobs=6), "more blobs than parts", "totals")
    head("v4-content", lambda made: made["totals"].update(content_bytes=made["totals"]["content_bytes"] + 1), "another sum of sizes than the parts'", "totals")
    head("v4-257-chunks", lambda made: (made["totals"].update(chunks=257), made.update(volumes=[257])) and None, "more than 256 chunks", "totals", "E-LIMIT")
    head("v4-257-parts", lambda made: made.update(parts=made["parts"] * 52), "more than 256 parts", "parts", "E-LIMIT")
    head("v4-part-size", lambda made: made["parts"][0].update(size=PART_BYTES + 1), "a part above 4 MiB", "part-size", "E-LIMIT")
    head("v4-part-empty", lambda made: made["parts"][0].update(lines=0), "a part without a line", "parts")
    head("v4-part-order", lambda made: made.update(parts=made["parts"][::-1]), "records before releases", "parts")
    head("v4-part-type", lambda made: made["parts"][0].update(type="weather"), "a part of no known type")
    head("v4-lines", lambda made: made["parts"][-1].update(lines=4_000_000), "more than 4,000,000 lines", "lines", "E-LIMIT")
    head("v4-shows-order", with_member("shows", ["metrics", "agents"]), "switches out of order", "shows", twin="standard")
    head("v4-shows-unknown", with_member("shows", ["weather"]), "a switch that nobody knows")
    head("v4-number-0", with_member("number", 0), "packages are numbered from 1 on", "number")
    head("v4-previous", with_member("previous", "ab" * 32), "a predecessor of package 1", "number")
    head("v4-no-previous", with_member("number", 2), "package 2 without a predecessor", "number", twin="overlap")
    for kind in ("records", "receipts", "audit"):
        head(f"v4-range-{kind}", lambda made, kind=kind: made[kind].update(first=made[kind]["last"] + 2), f"a range of {kind} that is none", "ranges")
    head("v4-range-0", with_member("records", "first", 0), "a range that begins at 0", "ranges")
    head("v4-acknowledged", with_member("acknowledged", {"audit": 0, "number": 1, "receipts": 0, "records": 1}),
         "the range begins at what is acknowledged", "ranges", twin="empty-ranges")
    head("v4-receipts", with_member("receipts", "last", 10_001), "more receipts than 10,000", "lines", "E-LIMIT")
    head("v4-rows", with_member("audit", "last", 100_001), "more audit rows than 100,000", "lines", "E-LIMIT")
    one = {"audit": 1, "instance": INSTANCE, "receipts": 1, "records": 1}
    other = {**one, "instance": SECOND}
    for name, lineage, says in (
            ("empty", [], "no instance"), ("other", [other], "another instance than this one"), ("twice", [one, one], "an instance twice"),
            ("late", [{**one, "records": 2}], "the first instance does not begin at 1"),
            ("above", [other, {**one, "audit": 2}], "an instance that begins above the range"),
            ("falling", [other, {**one, "audit": 1, "instance": THIRD, "records": 9}, one], "an instance that begins below the one before")):
        head(f"v4-lineage-{name}", with_member("lineage", lineage), says, "lineage", twin="new-instance")
    head("v4-lineage-257", with_member("lineage", [{**one, "instance": f"{number:032x}"} for number in range(256)] + [one]),
         "more than 256 instances", "lineage", "E-LIMIT", twin="new-instance")
    left_out = full_lineage(records=102)
    left_out.head["acknowledged"]["records"] = 100
    vectors.bad("v4-lineage-left-out", [LEAST, left_out], "an instance is left out of which not everything is acknowledged", "E-FORMAT", "lineage", "V4",
                twin="lineage-full")
    head("v4-instance", with_member("instance", "11112222"), "an instance of another form")
    head("v4-domain", with_member("domain", OTHER_DOMAIN), "another trust domain than entry 02", "domain", "E-TRUST")
    head("v4-site", with_member("site", OTHER_SITE), "another site than entry 02", "site", "E-TRUST")
    vectors.bad("v4-format-lines", Recipe().on("first", lambda _: b"airlock-status 1\nvolume 1/1 chunks 1-2\n"), "00 does not say what the head says",
                "E-FORMAT", "format-lines", "V4")
    vectors.bad("v4-approvals", Recipe().on("approvals", lambda _: b'{"approvals":[] }'), "entry 04 not in canonical form", "E-POLICY", "non-canonical", "V4")


GONE = object()


# --- Bad: index and chunks ----------------------------------------------------------------------------------------

def bad_payload(vectors):
    def index(name, change, says, code, kind="E-FORMAT"):
        vectors.bad(name, Recipe().on("index", change), says, kind, code, "V6")

    vectors.bad("v6-page-hash", Recipe().on("entries", bytes_at("05-index", 30, b"x")), "a byte of the index changed", "E-INTEGRITY", "page-hash", "V6")
    index("v6-no-newline", lambda raw: raw[:-1], "the page does not end with a line feed", "index")
    index("v6-tag", lambda raw: canonical({"digest": "sha256:" + "ab" * 32, "kind": "tag", "media_type": "x", "repository": "x", "size": 1}) + b"\n" + raw,
          "a line that only bundles have", "grammar")
    index("v6-media-type", lambda raw: raw.replace(b'"size"', b'"media_type":"x","size"', 1), "a blob with a media type", "grammar")
    index("v6-order", lambda raw: b"".join(raw.splitlines(True)[-1:] + raw.splitlines(True)[:-1]), "the chunk before the blobs", "grammar")
    index("v6-blobs", lambda raw: b"".join(raw.splitlines(True)[1:]), "a blob less than the head states", "parts")
    index("v6-more-chunks", lambda raw: raw + raw.splitlines(True)[-1], "a chunk more than the head states", "totals")
    index("v6-parts", lambda raw: b"".join(raw.splitlines(True)[1::-1] + raw.splitlines(True)[2:]), "blobs in another order than the parts", "parts")
    index("v6-chunk-size", lambda raw: raw.replace(b'"zstd"', b'"none"'), "a chunk that is not as long as its blobs", "chunk-size")
    vectors.bad("v6-cut", Recipe().on("index", lambda raw: raw + raw.splitlines(True)[-1]).on("head", lambda head: (
        head["totals"].update(chunks=2, stored_bytes=head["totals"]["stored_bytes"] * 2), head.update(volumes=[2])) and None).on(
            "first", lambda _: b"airlock-status 1\nvolume 1/1 chunks 1-2\n"), "two chunks where the blobs make one", "E-FORMAT", "cut", "V6")
    vectors.bad("v6-fill", Recipe().on("entries", lambda entries: entries[-2].__setitem__(1, b"x" + bytes(511))).on(
        "head", lambda head: head.update(payload_offset=head["payload_offset"] + 512)), "a fill that is not zero", "E-FORMAT", "header", "V6")
    vectors.bad("v6-fill-byte", least().on("entries", bytes_at("06-fill", 100, b"x")), "a byte of the fill that is not zero", "E-FORMAT", "fill", "V6",
                twin="least")
    vectors.bad("v6-offset", Recipe().on("head", lambda head: head.update(payload_offset=head["payload_offset"] - 512)),
                "the payload begins before the index ends", "E-FORMAT", "payload-offset", "V6")
    vectors.bad("v6-cut-short", Recipe().on("archive", lambda raw: raw[:7200]), "the file ends inside the index", "E-INCOMPLETE", "truncated", "V6")
    vectors.bad("v7-stored-hash", Recipe().on("entries", bytes_at("chunks/", 100, b"x")), "a byte of a chunk changed", "E-INTEGRITY", "stored-hash", "V7")
    vectors.bad("v7-frame", Recipe().on("chunk", lambda number, plain, made: ("zstd", made[1][:-3])), "a frame that is cut", "E-INTEGRITY", "frame", "V7")
    vectors.bad("v7-after-frame", Recipe().on("chunk", lambda number, plain, made: ("zstd", made[1] + b"\0")), "a byte behind the frame", "E-FORMAT",
                "non-canonical-frame", "V7")
    # 32 MiB in one KiB: blocks that repeat one byte 131,072 times (RFC 8878, 3.1.1.2).
    bomb = b"".join(struct.pack("<I", 131_072 << 3 | 1 << 1 | (number == 255))[:3] + b"\0" for number in range(256))
    for name, header, size, says, of, code in [
            ("v7-bomb", b"\xa0", 1 << 25, "a frame that states the 32 MiB that it makes", "E-LIMIT", "window"),
            ("v7-bomb-denied", b"\xa0", 0, "a frame that states its size and makes 32 MiB", "E-INTEGRITY", "frame"),
            ("v7-bomb-window", b"\x80\x70", 0, "a frame that states its size and wants a window of 16 MiB", "E-LIMIT", "window")]:
        vectors.bad(name, Recipe().on("chunk", lambda number, plain, made, header=header, size=size: (
            "zstd", b"\x28\xb5\x2f\xfd" + header + struct.pack("<I", size or len(plain)) + bomb)), says, of, code, "V7")
    vectors.bad("v7-digest", Recipe().on("chunk", lambda number, plain, made: ("none", plain.replace(b"acme-web", b"acme-wab", 1))),
                "another content than the part's", "E-INTEGRITY", "content-digest", "V7")
    vectors.bad("v7-header", Recipe().on("entries", lambda entries: entries[-1].__setitem__(0, verify.tar_header("chunks/0000000002", 1))),
                "a chunk of another name", "E-FORMAT", "header", "V7")
    vectors.bad("v7-end", Recipe().on("archive", lambda raw: raw[:-1] + b"x"), "an end that is not zero", "E-FORMAT", "end", "V7")
    vectors.bad("v7-trailing", Recipe().on("archive", lambda raw: raw + b"\0"), "a byte behind the end", "E-FORMAT", "trailing-data", "V7")
    vectors.bad("v7-cut", Recipe().on("archive", lambda raw: raw[:-1]), "the last byte is missing", "E-INCOMPLETE", "truncated", "V7")


# --- Bad: lines ---------------------------------------------------------------------------------------------------

def bad_lines(vectors):
    def lines(name, kind, change, says, code="grammar", of="E-FORMAT", recipe=None, **more):
        """`change` gets the lines of a part and returns others, or changes them."""
        recipe = recipe or Recipe()

        def on_lines(parts):
            made = copy.deepcopy(parts)
            made[kind] = change(made[kind]) or made[kind]
            return made
        vectors.bad(name, recipe.on("lines", on_lines), says, of, code, "V8", **more)

    def update(place, /, **members):
        def change(made):
            made[place] = {name: value for name, value in {**made[place], **members}.items() if value is not None}
        return change

    def text(name, value, says, code="quoted", of="E-FORMAT"):
        recipe = Recipe(shows=["status-text"])
        recipe.lines["records"] = [{**line, "text": ""} for line in recipe.lines["records"]]
        lines(name, "records", update(0, text=value), says, code, of, recipe, twin="full")

    lines("v8-unknown-kind", "records", update(0, kind="weather"), "a line of no known kind")
    lines("v8-kind-of-other", "targets", update(0, kind="transition"), "a record among the targets")
    lines("v8-unknown-member", "releases", update(0, weather="fair"), "a member that nobody knows")
    lines("v8-missing-member", "releases", update(0, blobs=None), "a member is missing")
    lines("v8-null", "targets", lambda made: [canonical({**made[0], "follows": None})] + made[1:], "null for a member left out", "non-canonical")
    lines("v8-space", "targets", lambda made: [canonical(made[0]) + b" "] + made[1:], "a space behind a line", "non-canonical")
    lines("v8-order-of-members", "targets", lambda made: [canonical(made[0]).replace(b'"kind":"target",', b"")[:-1] + b',"kind":"target"}'] + made[1:],
          "members out of order", "non-canonical")
    lines("v8-empty-line", "targets", lambda made: [b""] + made, "a line without a byte")
    lines("v8-float", "records", lambda made: [canonical(made[0]).replace(b'"number":1', b'"number":1.0')] + made[1:], "a number with a point")
    lines("v8-digest-form", "releases", update(0, content="sha256:" + "ab" * 32), "content in the form of a digest")
    lines("v8-word-state", "records", update(0, state="fine"), "a state that is none")
    lines("v8-word-signal", "records", update(0, signal="failed-2"), "a signal that is none")
    lines("v8-word-doubt", "targets", update(1, runs=None, doubt="perhaps"), "a doubt that is none")
    lines("v8-word-reason", "records", lambda made: made + [gap_line(3, reason="weather")], "a reason that is none")
    lines("v8-word-class", "records", lambda made: made + [gap_line(3, **{"class": "receipt"})], "a class that is none")
    lines("v8-word-release", "releases", update(0, state="live"), "a state of a release that is none")
    lines("v8-action", "audit", lambda made: [made[0].replace(b'"init"', b'"Init"')] + made[1:], "an action in another form", "line")
    lines("v8-day", "metrics", lambda _: [metrics_line("2026-02-30")], "a day that no year has", recipe=Recipe(shows=["metrics"]), twin="standard")
    lines("v8-three-numbers", "metrics", lambda _: [metrics_line("2026-02-20", cpu=[1, 2])], "two numbers in the place of three",
          recipe=Recipe(shows=["metrics"]), twin="standard")
    lines("v8-count-1", "records", update(0, count=1, last="2026-11-21T11:00:00Z"), "what happened once is counted", "line")
    lines("v8-count-alone", "records", update(0, count=2), "a count without the last time", "line")
    lines("v8-entered-1", "records", update(1, entered=1), "what was entered once is counted", "line")
    lines("v8-number-0", "records", update(0, number=0), "record 0", "coverage", "E-CONTENT")
    lines("v8-deployment-part", "targets", update(1, signal=None), "a part of what a deployment reported", "line")
    lines("v8-runs-and-doubt", "targets", update(1, doubt="unseen"), "certain and in doubt at once", "line")
    lines("v8-neither", "targets", update(1, runs=None), "neither certain nor in doubt, and not taken away", "line")
    lines("v8-name-of-signed", "targets", update(0, name="hall 3"), "a name of a target that the release states", "line", recipe=Recipe(shows=["local-names"]),
          twin="full")
    for name, number, member, value in (("agent", 0, "agent", "2.1.0"), ("local-name", 0, "name", "hall 3"), ("metrics", 0, "metrics", {
            "cores": 1, "cpu": 1, "disks": [], "memory": 1, "memory_used": 1})):
        lines(f"v8-shows-{name}", "targets", update(number, **{member: value}, follows=TARGET), f"{member} of a target, and its switch is off", "shows",
              "E-CONTENT", twin="full")
    lines("v8-shows-text", "records", update(0, text=""), "a text, and its switch is off", "shows", "E-CONTENT", twin="full")
    lines("v8-shows-continued-text", "records", lambda made: made + [status_line(3, "continued", of=2, text="")], "a text, and its switch is off", "shows",
          "E-CONTENT", twin="full")
    lines("v8-shows-status", "records", lambda made: made + [status_line(3, "status")], "a record of the class status, and its switch is off", "shows",
          "E-CONTENT", twin="full")
    lines("v8-shows-log", "records", lambda made: made + [{**log_line(3, "2026-11-21T11:00:01Z"), "deployment": DEPLOYMENT, "kind": "log",
                                                           "resource": "web-1", "revision": REVISION}],
          "a line of a container, and its switch is off", "shows", "E-CONTENT", twin="full")
    lines("v8-shows-agent-log", "records", lambda made: made + [{**log_line(3, "2026-11-21T11:00:01Z"), "kind": "agent-log"}],
          "a line of the agent, and its switch is off", "shows", "E-CONTENT", twin="full")
    lines("v8-shows-day", "metrics", lambda _: [metrics_line("2026-11-20")], "a day of metrics, and its switch is off", "shows", "E-CONTENT", twin="standard")
    lines("v8-text-missing", "records", update(0, text=None), "no text, and texts are shown", "line", recipe=with_text(), twin="full")
    lines("v8-order-releases", "releases", lambda made: [release_line(sequence=8), made[0]], "releases out of order", "order", twin="full")
    lines("v8-order-damaged", "releases", lambda made: [{"digest": digest(b"damaged"), "kind": "damaged", "size": 7}, *made], "damage before the releases",
          "order", twin="full")
    lines("v8-order-targets", "targets", lambda made: made + made[:1], "a target twice", "order")
    lines("v8-order-records", "records", lambda made: made[::-1], "records out of order", "order")
    lines("v8-order-metrics", "metrics", lambda _: [metrics_line("2026-11-20"), metrics_line("2026-11-19")], "days out of order", "order",
          recipe=Recipe(shows=["metrics"]), twin="standard")
    lines("v8-behind", "targets", lambda made: [made[0], {**made[1], "target": uuid(0xffffffff)}], "a deployment behind another target", "order")
    lines("v8-first", "targets", lambda made: made[1:], "a deployment without its target", "order")
    lines("v8-gap-reversed", "records", lambda made: made + [gap_line(3, first=5, last=4)], "a gap that ends before it begins", "line", twin="full")
    lines("v8-gap-half", "records", lambda made: made + [gap_line(3, first=5)], "a gap with one end", "line", twin="full")
    lines("v8-continued-without-of", "records", lambda made: made + [status_line(3, "continued")], "continued, and not what", twin="overlap")
    lines("v8-of-later", "records", lambda made: made + [status_line(3, "continued", of=3)], "continues itself", "line", twin="overlap")
    lines("v8-of-continued", "records", lambda made: made + [status_line(3, "continued", of=2), status_line(4, "continued", of=3)],
          "continues a record that continues", "line", twin="overlap")
    lines("v8-of-transition", "records", update(1, of=1), "a transition that continues")
    lines("v8-time-zeros", "records", lambda made: made + [{**log_line(3, "2026-11-21T11:00:01.10Z"), "kind": "agent-log"}], "a fraction that ends with 0",
          "non-canonical", recipe=with_switch("agent-logs"), twin="full")
    text("v8-quoted-raw", "turned \u202e round", "a character that turns the direction, as it is")
    text("v8-quoted-c1", "next\u0085line", "a control character of the second kind, as it is")
    text("v8-quoted-upper", "line\\0Aline", "digits of an escape in upper case")
    text("v8-quoted-needless", "\\41bc", "an escape for a letter")
    text("v8-quoted-lone", "C:\\windows", "a backslash that begins no escape")
    text("v8-quoted-half", "a\\e2\\80b", "half of a character")
    text("v8-quoted-utf8", "a\\ffb", "a byte that is no UTF-8")
    text("v8-quoted-long-form", "a\\c0\\8ab", "a line feed in two bytes")
    lines("v8-quoted-escape", "records", lambda made: [canonical(made[0]).replace(b'"text":""', b'"text":"\\u001b[2J"')] + made[1:],
          "a control character as an escape of JSON", "non-canonical", recipe=with_text(), twin="full")
    text("v8-text-long", "x" * (verify_package.QUOTED_BYTES + 1), "a text above 262,144 bytes", "text-size", "E-LIMIT")
    text("v8-text-escaped-long", "\\0a" * 2 + "x" * (verify_package.TEXT_BYTES - 8 + 1), "a text above 1,048,576 bytes between its quotes", "string-length", "E-LIMIT")
    lines("v8-name-long", "targets", update(0, agent="x" * 1025), "the name of an agent above 1,024 bytes", "text-size", "E-LIMIT", Recipe(shows=["agents"]),
          twin="standard")
    lines("v8-string-long", "targets", update(0, agent="x" * 4097), "a string above 4,096 bytes", "string-length", "E-LIMIT", Recipe(shows=["agents"]),
          twin="standard")
    lines("v8-line-long", "records", lambda made: made + [b'{"text":"' + b"x" * verify_package.LINE_BYTES + b'"}'], "a line above 1,052,672 bytes",
          "line-size", "E-LIMIT")
    lines("v8-receipt-long", "receipts", lambda made: [canonical({**made[0], "signatures": made[0]["signatures"] * 60})] + made[1:],
          "a receipt above 8 KiB", "receipt-size", "E-LIMIT")
    lines("v8-detail-deep", "audit", lambda made: [made[0].replace(b'"root_version":1', b'"root_version":{"a":{"b":{}}}')] + made[1:],
          "a detail nested deeper than 3", "detail", "E-LIMIT", twin="full")
    lines("v8-detail-large", "audit", lambda made: [made[0].replace(b'"root_version":1', b'"root_version":' + canonical(["x" * 2000] * 3))] + made[1:],
          "a detail above 4 KiB", "detail", "E-LIMIT", twin="full")
    lines("v8-detail-list", "audit", lambda made: [canonical({**json.loads(made[0]), "detail": []})] + made[1:], "a detail that is no object")
    lines("v8-detail-null", "audit", lambda made: [canonical({**json.loads(made[0]), "detail": {"x": None}})] + made[1:], "null in a detail", "line")
    vectors.bad("v8-lines", Recipe().on("head", lambda head: head["parts"][0].update(lines=2)), "a line less than the head states", "E-CONTENT", "lines", "V8")
    vectors.bad("v8-shown", Recipe().on("head", lambda head: head["records"].update(shown=3, withheld=withheld(metrics=235, status=2))),
                "a record less than the head states", "E-CONTENT", "coverage", "V8")
    vectors.bad("v8-sum", Recipe().on("head", lambda head: head["records"].update(withheld=withheld(metrics=235, status=2))),
                "a number that nothing explains", "E-CONTENT", "coverage", "V8")
    vectors.bad("v8-sum-above", Recipe().on("head", lambda head: head["records"].update(missing=1)), "a number told twice", "E-CONTENT", "coverage", "V8")
    lines("v8-outside", "records", update(1, number=241), "a record outside of the range", "coverage", "E-CONTENT")
    vectors.bad("v8-below", outside(), "a record below the range", "E-CONTENT", "coverage", "V8", twin="empty-ranges")
    vectors.bad("v8-page-early", Recipe().on("pages", lambda pages: [
        (kind, piece) for kind, page in pages for piece in (page.splitlines(True) if kind == "records" else [page])]),
        "a part begun before the one before it was full", "E-FORMAT", "pages", "V8", twin="two-pages")
    vectors.bad("v8-no-newline", Recipe().on("pages", lambda pages: pages[:-1] + [(pages[-1][0], pages[-1][1][:-1])]).on(
        "head", lambda head: head["parts"][-1].update(lines=2)), "a part that does not end with a line feed", "E-FORMAT", "pages", "V8")


def with_text():
    recipe = Recipe(shows=["status-text"])
    recipe.lines["records"] = [{**line, "text": ""} for line in recipe.lines["records"]]
    return recipe


def with_switch(switch):
    return Recipe(shows=[switch])


def outside():
    recipe = empty(True)
    recipe.rounded = False
    recipe.lines["records"] = [status_line(240)]
    recipe.last, recipe.withheld = 241, withheld()
    return recipe


# --- Bad: receipts and the stream log -----------------------------------------------------------------------------

def bad_logs(vectors):
    def receipts(name, change, says, code="receipt", kind="E-CONTENT", recipe=None):
        recipe = recipe or Recipe()
        recipe.receipts = copy.copy(recipe.receipts)
        recipe.receipts = change(recipe.receipts) or recipe.receipts
        vectors.bad(name, recipe, says, kind, code, "V9")

    def payload(**members):
        def change(made):
            made[0] = {**made[0], "payload": {name: value for name, value in {**made[0]["payload"], **members}.items() if value is not None}}
        return change

    receipts("v9-other-site", payload(site=OTHER_SITE), "a receipt of another site")
    receipts("v9-other-domain", payload(domain=OTHER_DOMAIN), "a receipt of another trust domain")
    receipts("v9-unknown-member", payload(weather="fair"), "a receipt with a member that nobody knows")
    receipts("v9-no-instance", payload(instance=None), "a receipt of the form before there were packages")
    receipts("v9-result", payload(result="perhaps"), "a result that is none")
    receipts("v9-refused-without-class", payload(result="refused"), "refused, and not why")
    receipts("v9-imported-with-class", payload(**{"class": "E-CONTENT", "code": "x", "step": "X13"}), "imported, and why not")
    receipts("v9-number-0", payload(number=0), "receipt 0")
    receipts("v9-twice", lambda made: [made[0], made[0]], "a receipt twice")
    receipts("v9-hole", lambda made: [made[0], {**made[1], "payload": {**made[1]["payload"], "number": 3}}, receipt(4, 3)], "a number is left out",
             "receipts-missing")
    vectors.bad("v9-missing", Recipe().on("envelopes", lambda made: made[:1]), "the last receipt is missing", "E-CONTENT", "receipts-missing", "V9")
    vectors.bad("v9-more", Recipe().on("head", lambda head: head["receipts"].update(last=1)), "a receipt above the range", "E-CONTENT", "receipt", "V9")
    receipts("v9-stranger", lambda made: [{**made[0], "signer": key("stranger")}, made[1]], "signed by a key that is not the site's", "below-threshold",
             "E-SIGNATURE")
    receipts("v9-type", lambda made: [{**made[0], "purpose": "status-head"}, made[1]], "signed as the head of a package", "wrong-type", "E-SIGNATURE")

    def swapped(made):
        """The type that was signed stands in the envelope of another."""
        other = json.loads(json.dumps(made[0]))
        raw = base64.b64decode(other["payload"])
        other["signatures"] = [STATUS.signature(TYPE["enrolment"], raw)]
        return [other, *made[1:]]
    vectors.bad("v9-bad-signature", Recipe().on("envelopes", swapped), "a receipt with the signature of another type", "E-SIGNATURE", "bad-signature", "V9")

    def rows(name, change, says, **more):
        vectors.bad(name, Recipe().on("rows", change), says, "E-CONTENT", "audit-chain", "V10", **more)

    def rewritten(made):
        return [made[0].replace(b"09:00:00", b"09:00:01"), *made[1:]]

    rows("v10-rewritten", rewritten, "a row that was changed afterwards")
    rows("v10-hole", lambda made: [made[0], made[2].replace(b'"number":3', b'"number":4')], "a row is left out")
    rows("v10-fewer", lambda made: made[:2], "the last row is missing")
    other = with_(before=verify_package.stream_start(SITE, OTHER_DOMAIN), rows=rows_of_life())
    vectors.bad("v10-other-stream", other, "the log of another stream", "E-CONTENT", "audit-chain", "V10")
    foreign_row = Recipe()
    seals = foreign_row.seals()[1]
    elsewhere = with_(before=verify_package.stream_start(SITE, OTHER_DOMAIN)).seals()[1]
    foreign_row.on("head", lambda head: head["audit"].update(hash=elsewhere[3][1]))
    assert seals[3] != elsewhere[3]
    vectors.bad("v10-hash", foreign_row, "the seal of the last row of another stream", "E-CONTENT", "audit-chain", "V10")
    late = following(Recipe(), [], rows=[], last=240)
    late.lines = {name: [] if name == "records" else lines for name, lines in late.lines.items()}
    late.withheld = withheld()
    late.on("head", lambda head: head["audit"].update(hash="ab" * 32))
    vectors.bad("v10-no-row", late, "no row, and yet another seal", "E-CONTENT", "audit-chain", "V10", twin="empty-ranges")


# --- Bad: several packages ----------------------------------------------------------------------------------------

def bad_sequences(vectors):
    def second(name, recipe, says, code, step, twin="overlap", before=LEAST, **more):
        vectors.bad(name, [before, recipe], says, "E-EQUIVOCATION", code, step, twin=twin, **more)

    second("v5-package-number", Recipe(made_at="2026-11-21T12:00:01Z"), "two packages of one number", "package-number", "V5", twin="already")
    other = overlap(least())
    other.head["previous"] = "ab" * 32
    second("v5-previous", other, "package 2 follows another package 1", "previous", "V5")
    second("v5-previous-later", Recipe(made_at="2026-11-21T12:00:01Z"), "package 1 is not the one that package 2 follows", "previous", "V5", twin="later-first",
           before="good/later-first/1.airlock-status")
    moved = other_life(least(), 1)
    moved.head["lineage"] = [moved.head["lineage"][0], {**moved.head["lineage"][1], "records": 240}]
    vectors.bad("v5-lineage", [LEAST, "good/new-instance/2.airlock-status", with_number_two(moved)], "an instance that began elsewhere before",
                "E-EQUIVOCATION", "lineage", "V5", twin="new-instance")
    rewritten = overlap(least())
    rewritten.rows = [(action, at.replace("09:00:00", "09:00:01"), detail) for action, at, detail in rewritten.rows]
    second("v10-discontinuity", rewritten, "the log was rewritten since package 1", "audit-discontinuity", "V10")
    follows = following(least(), [], rows=[("clock", "2026-11-21T12:30:00Z", {"from": "2026-11-21T12:30:00Z", "times": 1, "to": "2026-11-21T12:20:00Z"})],
                        last=250)
    follows.before = "ab" * 32
    second("v10-discontinuity-before", follows, "the seal before the first row is not that of package 1", "audit-discontinuity", "V10")
    short = overlap(least())
    short.rows, short.receipts = short.rows[:2], short.receipts[:1]
    second("v10-shorter", short, "the log ends before what package 1 told of it", "audit-discontinuity", "V10")
    short = overlap(least())
    short.lines["records"], short.last, short.withheld = [], 100, withheld(metrics=100)
    second("v11-shorter-records", short, "records end before what package 1 told", "record", "V11")
    short = overlap(least())
    short.receipts = short.receipts[:1]
    second("v11-shorter-receipts", short, "receipts end before what package 1 told", "receipt", "V11")
    changed = overlap(least())
    changed.lines["records"] = [{**changed.lines["records"][0], "state": "error"}, *changed.lines["records"][1:]]
    second("v11-record", changed, "a record that came otherwise before", "record", "V11")
    later = overlap(least())
    later.receipts = [receipt(1, 2, root_version=2), *later.receipts[1:]]
    second("v11-receipt", later, "a receipt that came otherwise before", "receipt", "V11")


def with_number_two(recipe):
    recipe.head.update(number=2, previous=built(other_life(least(), 1)).digest)
    return recipe


# --- Bad: acknowledgements ----------------------------------------------------------------------------------------

def bad_acknowledgements(vectors):
    def ack(name, made, says, kind, code, files=None, trust=ACK_CHAIN, twin="acknowledgement"):
        vectors.bad(name, [*(["good/acknowledgement/1.airlock-status"] if files is None else files), ("acknowledgement.json", made)], says, kind, code,
                    twin=twin, enrolments=ack_enrolment(), trust=[trust])

    ack("ack-release-key", acknowledgement(signers=("release",)), "signed by the release key", "E-SIGNATURE", "below-threshold", [])
    rotated = chain_file(ROOT_1, envelope(root(2, ack=[rule(["ack-2"])]), ["root"]))
    ack("ack-removed-key", acknowledgement(), "signed by a key that a later root removed", "E-SIGNATURE", "below-threshold", [], rotated,
        "acknowledgement-new-key")
    made = json.loads(acknowledgement())
    made["signatures"] = [key("ack").signature(TYPE["status-acknowledgement"], b"{}")]
    ack("ack-bad-signature", canonical(made), "a signature of another document", "E-SIGNATURE", "bad-signature", [])
    ack("ack-type", acknowledgement(purpose="status-head"), "signed as the head of a package", "E-SIGNATURE", "wrong-type", [])
    ack("ack-space", acknowledgement().replace(b":", b": ", 1), "not in canonical form", "E-FORMAT", "non-canonical", [])
    ack("ack-unknown-member", acknowledgement(weather="fair"), "a member that nobody knows", "E-FORMAT", "grammar", [])
    ack("ack-alarm", acknowledgement(alarms=[{"code": "weather", "number": 1}]), "an alarm that is none", "E-FORMAT", "grammar", [])
    ack("ack-requires", acknowledgement(requires=["echo"]), "needs what this version cannot read", "E-FORMAT", "needs-newer-reader", [])
    ack("ack-number-0", acknowledgement(number=0), "acknowledgement 0", "E-FORMAT", "acknowledgement", [])
    heads = [{"head": "ab" * 32, "number": number} for number in range(1, 66)]
    ack("ack-65-packages", acknowledgement(packages=heads), "more packages than 64", "E-LIMIT", "items", [])
    ack("ack-order", acknowledgement(packages=heads[1::-1]), "packages out of order", "E-FORMAT", "acknowledgement", [])
    ack("ack-large", acknowledgement(change=lambda raw: raw + b" " * 49_152), "above 64 KiB", "E-LIMIT", "document-size", [])
    ack("ack-other-domain", acknowledgement(domain=OTHER_DOMAIN), "for another trust domain", "E-POLICY", "ack-other", [])
    ack("ack-other-site", acknowledgement(site=OTHER_SITE), "for another site", "E-POLICY", "ack-other")
    ack("ack-other-instance", acknowledgement(instance=SECOND), "for another instance", "E-POLICY", "never-exported")
    ack("ack-other-head", acknowledgement(packages=[{"head": "ab" * 32, "number": 1}]), "names a package that was never signed", "E-POLICY", "never-exported")
    ack("ack-beyond-records", acknowledgement(records=241), "records above the range of the package", "E-POLICY", "ack-beyond")
    ack("ack-beyond-receipts", acknowledgement(receipts=3), "receipts above the range of the package", "E-POLICY", "ack-beyond")
    ack("ack-beyond-nothing", acknowledgement(packages=[]), "no package named, and yet something acknowledged", "E-POLICY", "ack-beyond")
    ack("ack-audit", acknowledgement(audit={"hash": "ab" * 32, "number": 3}), "another seal of the log", "E-POLICY", "ack-audit")
    run = ["good/acknowledgement-run/1.airlock-status", "good/acknowledgement-run/2.airlock-status"]
    first, _ = run_of_two()
    second = of_domain(following(of_domain(first), [], rows=[], last=240))
    ack("ack-run-left-out", acknowledgement(second, audit={"hash": second.before, "number": 3}), "the first package of a run is not named", "E-POLICY",
        "ack-beyond", run, twin="acknowledgement-run")


# --- Bad: summaries -----------------------------------------------------------------------------------------------

def bad_summaries(vectors):
    def summary(name, words, says, kind, code, twin="summary-example", **more):
        vectors.bad(name, [("summary.txt", words if isinstance(words, bytes) else ("\n".join(words) + "\n").encode())], says, kind, code, twin=twin, **more)

    def plain(name, data, says, code="summary"):
        summary(name, text_of_series(signed_summary(data)), says, "E-FORMAT", code)

    one, = series_of(signed_summary(WORKED))
    several = series_of(signed_summary(summary_plain(least(), leb128(1) + live(states=[(5, 10)] * 300))))
    summary("summary-missing", several[:1], "a piece is missing", "E-INCOMPLETE", "series", "summary-eleven")
    summary("summary-mixed", [several[0], series_of(signed_summary(summary_plain(least(), leb128(1) + live(states=[(4, 10)] * 300))))[1]],
            "pieces of two summaries", "E-INTEGRITY", "series", "summary-eleven")
    summary("summary-wrong-piece", [several[0], several[1][:20] + several[1][20:].replace("0", "1", 1)], "a piece that was misread", "E-INTEGRITY", "series",
            "summary-eleven")
    summary("summary-misread", [one[:-1] + ("A" if one[-1] != "A" else "B")], "a letter that was misread", "E-INTEGRITY", "series")
    summary("summary-line", [one.replace("/1/1:", "/2/1:")], "piece 2 of 1", "E-FORMAT", "series-line")
    summary("summary-base45", [one[:-3] + ":::"], "a group above 65,535", "E-FORMAT", "base45")
    data = signed_summary(WORKED)
    halves = [data[:100], data[100:]]
    name = hashlib.sha256(data).hexdigest()[:4].upper()
    from make_status_vectors import base45
    summary("summary-cut", [f"AIRLOCK1/{name}/{number}/2:{base45(half)}" for number, half in enumerate(halves, start=1)], "cut otherwise than it is to be",
            "E-FORMAT", "series-line")
    summary("summary-unknown-site", text_of_series(signed_summary(WORKED[:1] + b"\xff" + WORKED[2:])), "a site that is not enrolled", "E-TRUST", "unknown-site")
    summary("summary-stranger", text_of_series(signed_summary(WORKED, key("stranger"))), "signed by another key", "E-SIGNATURE", "bad-signature")
    summary("summary-other-domain", text_of_series(signed_summary(WORKED, domain=OTHER_DOMAIN)), "signed for another trust domain", "E-SIGNATURE", "bad-signature")
    plain("summary-version", b"\x02" + WORKED[1:], "another version", "unsupported-version")
    plain("summary-long-number", WORKED.replace(bytes.fromhex("f00102"), bytes.fromhex("f0810002")), "a number that is not in its shortest form")
    plain("summary-trailing", WORKED + b"\0", "a byte more")
    plain("summary-short", WORKED[:-1], "a byte less")
    plain("summary-flags", WORKED.replace(bytes.fromhex("ef01200104"), bytes.fromhex("ef05200104")), "flags that mean nothing")
    plain("summary-counted", WORKED.replace(bytes.fromhex("ef01200104"), bytes.fromhex("ef02200104")), "counted, and not live")
    plain("summary-state", WORKED[:-3] + bytes.fromhex("061f00"), "a state that is none")
    plain("summary-list", WORKED[:-4] + bytes.fromhex("7f041f00"), "a list longer than the summary")
    plain("summary-package-0", summary_plain(Recipe(number=0), leb128(1) + live()), "a summary of package 0")
    plain("summary-release-twice", summary_plain(least(), leb128(2) + live() + waiting(RELEASE)), "a release twice")
    plain("summary-local-twice", summary_plain(least(), leb128(1) + live(local=[(LOCAL_DEPLOYMENT, 5, 60), (LOCAL_DEPLOYMENT, 1, 60)])), "a deployment made there twice")
    spoken = spoken_of(signed_summary(WORKED))
    summary("summary-misheard", [spoken[0].replace("AEASG", "AEASH"), *spoken[1:]], "a letter that was misheard", "E-INTEGRITY", "series", "summary-spoken")
    summary("summary-line-missing", [spoken[0], *spoken[2:]], "a line is missing", "E-INCOMPLETE", "series", "summary-spoken")
    summary("summary-large", b"\x01" + bytes(verify_summary.PIECES * verify_summary.PIECE_BYTES), "more bytes than sixteen codes hold", "E-LIMIT", "summary-size")


# --- Bad: exports of the audit log --------------------------------------------------------------------------------

def bad_exports(vectors):
    def export(name, says, kind, code, signer=STATUS, change=None, **more):
        vectors.bad(name, [("audit.jsonl", audit_export(signer, change, **more))], says, kind, code, twin="audit-export")

    export("export-rewritten", "a row that was changed", "E-CONTENT", "audit-chain", change=lambda made: [made[0].replace(b"09:00", b"09:01"), *made[1:]])
    export("export-hole", "a row is left out", "E-CONTENT", "audit-chain", change=lambda made: [made[0], *made[2:]])
    export("export-cut", "the last row is missing", "E-CONTENT", "audit-chain", change=lambda made: made[:2] + made[3:])
    export("export-no-checkpoint", "no checkpoint", "E-INCOMPLETE", "truncated", change=lambda made: made[:-1])
    export("export-stranger", "signed by another key", "E-SIGNATURE", "below-threshold", signer=key("stranger"))
    export("export-site", "the checkpoint names another site", "E-TRUST", "site", site=OTHER_SITE)
    export("export-more", "a row behind the checkpoint", "E-FORMAT", "trailing-data", change=lambda made: made + made[:1])
