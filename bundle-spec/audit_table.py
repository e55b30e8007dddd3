#!/usr/bin/env python3
"""The auditor's page beside the verifier, over every vector and over hostile tars: one table, and what must hold of it.

    audit_table.py                  a sample, about a minute on two cores: a vector for each class and step, some of the tars
    audit_table.py --all            every vector and every tar, about ten minutes
    audit_table.py --part 1/4 --tars 8 --trace 8   the sample, a fourth of the other vectors and one tar in eight, the writes of one case
                                    in eight; .ci/run does this, with another fourth for another commit
    audit_table.py --all --big      also bundles at and above the bounds of an index, which take the page minutes each
    audit_table.py --airlock PATH   with the product's `bundle verify` as another column

Must hold: what verify.py accepts, audit.sh does not refuse; what verify.py refuses, audit.sh refuses with one line that begins with
"refused: ", except what it says it does not check (DELEGATED); a refusal never prints "good"; nothing is written outside the
page's own folder, which is gone afterwards; nothing that it prints could be misread by a terminal. Writing is watched with
strace where that works, which takes as long again; where CI is set it must work.
"""

import argparse
import base64
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import verify

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE / "audit.sh"
# What the page's last lines and AUDIT.md name: a key that signed nothing (M-10), section 7 without M-51, section 11.
DELEGATED = {"M-10", *(f"M-{number}" for number in (*range(52, 63), *range(68, 78), *range(119, 127), *range(152, 158)))}
ADMITS = ("good as far as this page checks: head ", "not checked here, so not said to be good", "(SPEC.md, 7, without M-51)",
          "(SPEC.md, 11)", "(SPEC.md, M-152 to M-157)", "(SPEC.md, M-10)")
#: How it refuses every bundle whose layers are copied from others.
COPIES = "(delta-1): verify.py does, with --base"
#: And every repair file.
REPAIRS = "this is a repair file: verify.py reads it"
WRITES = ("open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,"
          "unlinkat,rmdir,truncate,chmod,fchmodat,chown,lchown,fchownat,utimensat,setxattr,lsetxattr,mount,chdir,fchdir")


# --- Running the page ----------------------------------------------------------------------------------------------

def can_trace():
    done = shutil.which("strace") and subprocess.run(
        ["strace", "-f", "-qq", "--seccomp-bpf", "-o", os.devnull, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    if not done and os.environ.get("CI"):
        sys.exit("audit_table.py: strace does not work here")
    return bool(done)


class Page:
    """One run: its code, its words, and what was wrong with how it behaved."""

    def __init__(self, bundle, pin, traced, cwd=None, patience=300):
        self.faults = []
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder).resolve()
            (place / "tmp").mkdir()
            (place / "here").mkdir()
            command = ["bash", PAGE, bundle, pin]
            if traced:
                command = ["strace", "-f", "-qq", "-y", "--seccomp-bpf", "-s", "4096", "-o", place / "trace", "-e", "trace=" + WRITES, *command]
            done = subprocess.run(command, cwd=cwd or place / "here", env={**os.environ, "TMPDIR": str(place / "tmp")}, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=patience, check=False)
            if os.listdir(place / "tmp") or os.listdir(place / "here"):
                self.faults.append("left something behind")
            if traced:
                self.faults += stray_writes((place / "trace").read_text(errors="replace"), str(place / "tmp/audit."))
        self.code, out, err = done.returncode, done.stdout, done.stderr
        self.text = out.decode("utf-8", "replace")
        if any(verify.hostile(c) for c in (self.text + err.decode("utf-8", "replace")).replace("\n", "")):
            self.faults.append("printed what a terminal may misread")
        if self.code == 0:
            if err or not all(words in self.text for words in ADMITS):
                self.faults.append("accepted without saying what it does not check")
        elif self.code != 1 or not re.fullmatch(rb"refused: [^\n]+\n", err):
            self.faults.append(f"ended with {self.code} and {err!r}")
        if self.code and "good" in self.text.replace("good signatures", ""):
            self.faults.append("said good and refused")
        self.says = err.decode("utf-8", "replace").strip()


def stray_writes(trace, work):
    """Paths written, made, changed or removed outside the folder that begins with `work`."""
    inside = False
    for line in trace.splitlines():
        call = re.match(r"[0-9]+ +([a-z0-9]+)\(", line)
        if not call or re.search(r"= -1 E", line):
            continue
        paths = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
        if call[1] in ("chdir", "fchdir"):
            inside = inside or line.split('"')[1].startswith(work) if paths else inside
            continue
        if call[1].startswith("open") and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE", line):
            continue
        for path in paths:
            own = path.startswith(work) and ".." not in path
            plain = inside and re.fullmatch(r"[a-z0-9-]+", path)
            if not own and not plain and path not in ("/dev/null", "/dev/tty"):
                yield f"wrote outside its folder: {line[:200]}"


# --- Hostile tars ---------------------------------------------------------------------------------------------------

def header(name, size=0, kind=b"0", link=b"", prefix=b"", size_field=None, magic=b"ustar\x0000"):
    made = bytearray(verify.tar_header("", 0))
    for at, length, data in ((0, 100, name), (124, 12, size_field or b"%011o\0" % size), (156, 1, kind), (157, 100, link),
                             (257, 8, magic), (345, 155, prefix)):
        made[at:at + length] = data[:length].ljust(length, b"\0")
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    return bytes(made)


def entries_of(bundle):
    """(header, content with padding) of every entry."""
    at, found = 0, []
    while bundle[at:at + 1] != b"\0":
        size = int(bundle[at + 124:at + 135], 8)
        found.append((bundle[at:at + 512], bundle[at + 512:at + 512 + size + -size % 512]))
        at += 512 + len(found[-1][1])
    return found


def archive(entries):
    return b"".join(first + second for first, second in entries) + bytes(1024)


def own_names():
    """Every name that the page gives a file in its folder."""
    page = PAGE.read_text()
    names = set(re.findall(r">>?\s?\"?([a-z][a-z-]*)\b", page)) | set(re.findall(r"^ *(?:entry|take) .* ([a-z]+)$", page, re.MULTILINE))
    return sorted(names | {"said", "root-1", "root-2", "audit.sh", ".jq", "jq", "zstd"})


def hostile_tars(victim):
    """(name, bytes); all of them are made from a good bundle and none is one."""
    whole = (HERE / "vectors/good/one-image/bundle.airlock").read_bytes()
    good, target = entries_of(whole), str(victim).encode()
    places = {"front": 0, "before 01": 1, "before the index": 5, "before the fill": 6, "before a chunk": 7, "last": len(good)}

    def put(place, *new):
        at = places[place]
        return archive(good[:at] + list(new) + good[at:])

    kinds = {"symlink": b"2", "hard link": b"1", "FIFO": b"6", "folder": b"5", "device": b"3", "file": b"0"}
    for number, name in enumerate(own_names()):
        for kind, place in zip(kinds, [*places][number % 6:] + [*places][:number % 6]):
            size = 6 if kind == "file" else 0
            yield f"{kind} {name}, {place}", put(place, (header(name.encode(), size, kinds[kind], target), b"owned\n".ljust(512, b"\0")[:size * 512]))
    for number, kind in enumerate(b"\x0012345678ADKLMNSVXgx"):
        for at, (first, content) in enumerate(good):
            if (at + number) % 3:
                continue
            name, size = first[:100].rstrip(b"\0"), int(first[124:135], 8)
            yield f"typeflag {chr(kind)!r} at {name.decode()}", archive(
                good[:at] + [(header(name, size, bytes([kind]), target), content)] + good[at + 1:])
    long, pax = target.ljust(512, b"\0"), b"30 path=" + target[:20].ljust(21, b"x") + b"\n"
    for place in places:
        yield f"GNU long name, {place}", put(place, (header(b"././@LongLink", len(target), b"L", magic=b"ustar  \0"), long))
        yield f"PAX path, {place}", put(place, (header(b"./PaxHeaders/x", len(pax), b"x"), pax.ljust(512, b"\0")))
        yield f"PAX size, {place}", put(place, (header(b"./PaxHeaders/x", 12, b"x"), b"12 size=999\n".ljust(512, b"\0")))
    for number, name in enumerate((b"../../victim", target, b"-rf", b"--checkpoint-action=exec=sh", b"a b", b"a\nb", b"$(touch here)", b"`touch here`",
                                   b"'; touch here; '", b"\x1b]0;owned\x07", b"x" * 100, b"", b".", b"..", b"chunks/../../victim")):
        for place in [*places][number % 2::2]:
            yield f"name {name[-24:]!r}, {place}", put(place, (header(name, 6), b"owned\n".ljust(512, b"\0")))
    for place in places:
        yield f"prefix, {place}", put(place, (header(b"victim", 6, prefix=b"../.."), b"owned\n".ljust(512, b"\0")))
    sizes = {"base-256": b"\x80" + bytes(10) + b"\x27", "negative base-256": b"\xff" * 12, "huge": b"77777777777\0", "no NUL": b"000000000047",
             "spaces": b"         47\0", "short": b"47\0", "signed": b"-0000000047\0", "hexadecimal": b"0000000x027\0", "empty": b"\0" * 12,
             "NUL inside": b"0000\x00000047\0", "command": b"$(id)000047\0"}
    for at, (first, content) in enumerate(good):
        name, size = first[:100].rstrip(b"\0"), int(first[124:135], 8)
        for says, field in sizes.items():
            yield f"size {says} at {name.decode()}", archive(good[:at] + [(header(name, size_field=field), content)] + good[at + 1:])
        for other in (size - 1, size + 1, size + 512):
            if other >= 0:
                yield f"size {other - size:+d} at {name.decode()}", archive(good[:at] + [(header(name, other), content)] + good[at + 1:])
        yield f"twice {name.decode()}", archive(good[:at] + [good[at]] * 2 + good[at + 1:])
        yield f"without {name.decode()}", archive(good[:at] + good[at + 1:])
        if size:
            yield f"other content at {name.decode()}", archive(good[:at] + [(first, bytes([content[0] ^ 4]) + content[1:])] + good[at + 1:])
    for length in (0, 1, 511, 512, 600, 1024, 4096, len(whole) - 1024, len(whole) - 512, len(whole) - 1):
        yield f"cut after {length} bytes", whole[:length]
    yield "zeros", bytes(20480)
    yield "text", b"airlock-bundle 1\nvolume 1/1 chunks 1-2\n" * 400
    deep, wide = b"[" * 100_000, b'{"signatures":[' + b",".join([b'{"keyid":"","sig":""}'] * 9000) + b"]}"
    texts = {"escape sequence": b"\x1b]0;owned\x07", "NUL": b"\0", "lone bytes": b'{"signatures":[]}\xff', "no end": b'{"signatures":[',
             "nested": deep, "many": wide, "twice": b'{"signatures":[],"signatures":[]}', "two documents": b'{"signatures":[]}{"signatures":[]}',
             "line feed inside": b'{"signatures":\n[]}', "escaped name": b'{"\\u0073ignatures":[]}', "format": b'"%s%n%x"', "command": b'"$(touch here)"',
             "large number": b'{"signatures":[9007199254740993]}', "null": b"null", "nothing": b""}
    for at in (1, 2, 3, 4):
        name = good[at][0][:100].rstrip(b"\0")
        for says, data in texts.items():
            if says not in ("nothing",) or at:
                yield f"{says} as {name.decode()}", archive(
                    good[:at] + [(header(name, len(data)), data + bytes(-len(data) % 512))] + good[at + 1:])
    for says, data in (("escape sequence", b"airlock-bundle 1\nvolume 1/1 chunks 1-2\n\x1b]0;owned\x07"), ("commands", b"airlock-bundle 1\n$(touch here)\n")):
        yield f"{says} in 00-format", archive([(header(b"00-format", len(data)), data.ljust(512, b"\0"))] + good[1:])


HOSTILE_TEXTS = ("\u202eevil\u2066", "\u009b31mred\u0085", "zero\u200bwidth\u2028line\u2029", "tag\U000e0041\ufeff", "$(touch here)`id`;'\"\\ %s%n \\u001b")


def signed_words():
    """Good bundles whose words for people want to be more than words: (name, bytes, pin, words that must be shown)."""
    import make_vectors as made
    for number, words in enumerate((*HOSTILE_TEXTS, "Zürich 東京")):
        document = made.root()
        document["vendor"] = words
        recipe = made.Recipe(version=words).with_root(document)
        yield f"words {number} of vendor and version", recipe.build(), made.chain_file(recipe.first), verify.shown(words)
    nobody = made.Recipe()
    nobody.signers = []
    yield "signed by nobody", nobody.build(), made.chain_file(nobody.first), None


def big_indexes():
    """Bundles with the most lines of a kind that an index may have, and with one more: (name, bytes, pin, the refusal)."""
    import make_vectors as made
    most = 100_000
    for kind, count, refusal in (("tag", most, None), ("tag", most + 1, "E-LIMIT lines"), ("absent", most + 1, "E-LIMIT lines")):
        recipe = made.Recipe()
        content = recipe.content
        if kind == "tag":
            image = content.blobs[content.tags[0]["digest"]]
            for number in range(count - len(content.tags)):
                content.tag(image, f"t{number}")
        else:
            content.absent = {made.digest(b"%d" % number): "linux/arm64" for number in range(count)}
        yield f"{count} {kind} lines", recipe.build(), made.chain_file(recipe.first), refusal


# --- The table -------------------------------------------------------------------------------------------------------

def part(text):
    """K/N: the Kth of N parts, as its number from 0 and N."""
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    number, of = (int(found[1]) - 1, int(found[2])) if found else (-1, 0)
    if not 0 <= number < of:
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N with K from 1 to N")
    return number, of


def vectors(chosen):
    """A vector for each class and step, and all others of the part (none where there is none)."""
    seen = set()
    for number, path in enumerate(sorted((HERE / "vectors").glob("*/*/vector.json"))):
        vector = json.loads(path.read_text())
        expected = vector["expect"]
        way = expected.get("class"), expected.get("step"), DELEGATED.isdisjoint(vector["covers"])
        if chosen and number % chosen[1] == chosen[0] or way not in seen or path.parent.name in ("k12-three-roots", "cut", "two-rules"):
            seen.add(way)
            for pin in vector["trust"]:
                yield f"{path.parent.parent.name}/{path.parent.name}", path.parent / vector["bundle"], path.parent / pin, set(vector["covers"])


def cases(folder, chosen, one_in, big):
    """(name, bundle, pin, requirements, words that must be shown)."""
    for name, bundle, pin, covered in vectors(chosen):
        yield name, bundle, pin, covered, None
    pin = HERE / "vectors/good/one-image" / json.loads((HERE / "vectors/good/one-image/vector.json").read_text())["trust"][-1]
    for number, (name, data) in enumerate(hostile_tars(folder / "victim")):
        if number % one_in == 0:
            bundle = folder / f"{number}.airlock"
            bundle.write_bytes(data)
            yield f"tar: {name}", bundle, pin, set(), None
    for number, (name, data, chain, words) in enumerate(signed_words()):
        bundle, pin = folder / f"signed-{number}.airlock", folder / f"signed-{number}.json"
        bundle.write_bytes(data)
        pin.write_bytes(chain)
        yield f"signed: {name}", bundle, pin, set(), words
    for number, (name, data, chain, refusal) in enumerate(big_indexes() if big else ()):
        bundle, pin = folder / f"big-{number}.airlock", folder / f"big-{number}.json"
        bundle.write_bytes(data)
        pin.write_bytes(chain)
        judged = verify.judge(bundle, [pin])
        found = f"{judged['class']} {judged['code']}" if judged["exit"] else None
        assert found == refusal, f"{name}: {found}"
        yield f"big: {name}", bundle, pin, set(), None


def airlock_says(airlock, bundle, pin):
    done = subprocess.run([airlock, "--format", "json", "bundle", "verify", bundle, "--trust", pin], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False, text=True, errors="replace")
    refused = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{") and '"refused"' in line]
    return "accepted" if done.returncode == 0 else f"{refused[-1]['class']} {refused[-1]['code']}" if refused else f"exit {done.returncode}"


def judge_case(case, traced, airlock):
    """One row: name, what the page says, what verify.py does, what the product does, and what was wrong."""
    name, bundle, pin, covered, words = case
    page = Page(bundle, pin, traced, patience=3600 if name.startswith("big: ") else 300)
    judged = verify.judge(bundle, [pin])
    python = "accepted" if judged["exit"] == 0 else f"{judged['class']} {judged['code']}"
    if page.code == 0:
        says = "as far as it checks"
        if judged["exit"] and covered.isdisjoint(DELEGATED):
            page.faults.append("did not refuse what verify.py refuses")
    else:
        says = page.says
        if not judged["exit"] and not says.endswith((COPIES, REPAIRS)):
            page.faults.append("refused what verify.py accepts")
    if words is not None and words not in page.text:
        page.faults.append(f"does not show {words!r}")
    return name, says, python, airlock_says(airlock, bundle, pin) if airlock else "", page.faults


def check_inputs(folder):
    """What is no plain file is not opened; a plain file may have any name."""
    source = HERE / "vectors/good/one-image"
    pin = source / json.loads((source / "vector.json").read_text())["trust"][-1]
    inputs, faults = folder / "inputs", []
    inputs.mkdir()
    os.mkfifo(inputs / "fifo")
    (inputs / "link").symlink_to(source / "bundle.airlock")
    (inputs / "folder").mkdir()
    for name in ("fifo", "link", "folder", "missing", "/dev/zero", "/dev/null", ""):
        for pair in ((name, pin), (source / "bundle.airlock", name)):
            page = Page(*pair, traced=False, cwd=inputs)
            faults += page.faults + ([] if page.code == 1 else [f"{name} was read"])
    for name in ("-rf", "--help", "a b", "a\nb", "$(touch here)", "*", "\x1b]0;x\x07", "Zürich"):
        shutil.copy(source / "bundle.airlock", inputs / name)
        page = Page(name, pin, traced=False, cwd=inputs)
        faults += page.faults + ([] if page.code == 0 else [f"the name {name!r} was not read: {page.says}"])
    if (inputs / "here").exists():
        faults.append("a name was run")
    return faults


def check_display():
    """The page and verify.py escape the same characters the same way: at the edges of every range, and in between."""
    library = re.search(r"^lib='\n(.*?)^'$", PAGE.read_text(), re.MULTILINE | re.DOTALL)[1]
    edges = {edge + step for first, last in verify.HOSTILE for edge in (first, last) for step in (-1, 0, 1)} | set(range(0x250))
    text = "".join(chr(edge) for edge in sorted(edges) if 0 <= edge < 0x110000 and not 0xd800 <= edge < 0xe000)
    shown = subprocess.run(["jq", "-j", "--arg", "weak", "", library + "shown"], input=json.dumps(text), stdout=subprocess.PIPE, text=True, check=True).stdout
    return [] if shown == verify.shown(text) else ["audit.sh and verify.py escape otherwise"]


def check_curve(folder):
    """What the page asks of a signature (not weak, then openssl) comes out as the strict equation of verify.py, at every edge."""
    weak, faults = re.search(r"^weak='(.*)'$", PAGE.read_text(), re.MULTILINE)[1], []
    for case in json.loads((HERE / "vectors/ed25519.json").read_text()):
        for name, data in (("key", "302a300506032b6570032100" + case["public"]), ("message", case["message"]), ("signature", case["signature"])):
            (folder / name).write_bytes(bytes.fromhex(data))
        strong = not re.fullmatch(weak, case["public"]) and not re.fullmatch(weak, case["signature"][:64]) and len(case["signature"]) == 128
        holds = strong and subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-rawin", "-in", "message", "-sigfile", "signature"],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
        if holds != case["valid"]:
            faults.append(f"ed25519.json: {case['says']}: the page says {holds}")
    return faults


def main():
    parser = argparse.ArgumentParser(description="The auditor's page beside the verifier.")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--all", dest="part", action="store_const", const=(0, 1), help="every vector and every tar")
    chosen.add_argument("--part", type=part, metavar="K/N", help="beside the sample every vector of the Kth of N parts")
    parser.add_argument("--tars", type=int, metavar="N", help="of the tars one in N: 23 in the sample and with a part, 1 with --all")
    parser.add_argument("--trace", type=int, metavar="N", default=1, help="watch the writes of one case in N (every one)")
    parser.add_argument("--big", action="store_true", help="also indexes of 100,000 lines and one more")
    parser.add_argument("--airlock", metavar="PATH", help="the product, as a third column")
    options = parser.parse_args()
    one_in = options.tars or (1 if options.part == (0, 1) else 23)
    traced, counts, wrong = can_trace(), collections.Counter(), check_display()
    with tempfile.TemporaryDirectory() as temporary, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = pathlib.Path(temporary).resolve()
        (folder / "victim").write_text("the auditor's own\n")
        third = f" {'airlock':34}" if options.airlock else ""
        print(f"{'case':58} {'verify.py':34}{third} audit.sh")
        rows = enumerate(cases(folder, options.part, one_in, options.big))
        judged = pool.map(lambda row: judge_case(row[1], traced and row[0] % options.trace == 0, options.airlock), rows)
        for name, says, python, product, faults in judged:
            print(f"{verify.shown(name)[:58]:58} {python:34}{f' {product:34}' if product else ''} {says}")
            counts[("accepted" if python == "accepted" else "refused", "not refused" if says == "as far as it checks" else "refused")] += 1
            wrong += [f"{name}: {fault}" for fault in faults]
        wrong += check_inputs(folder) + check_curve(folder)
        if (folder / "victim").read_text() != "the auditor's own\n":
            wrong.append("a file outside was changed")
    watched = "every write" if options.trace == 1 else f"the writes of one in {options.trace}"
    print(f"\n{sum(counts.values())} cases, {f'{watched} traced' if traced else 'writes NOT traced: strace does not work here'}")
    for (python, page), count in sorted(counts.items()):
        why = {("refused", "not refused"): ", all of them in what it says it does not check",
               ("accepted", "refused"): ", all of them with copied layers, or repair files, which it says it does not read"}.get((python, page), "")
        print(f"  verify.py {python}, audit.sh {page}: {count}{why if not wrong else ''}")
    for fault in wrong:
        print(f"WRONG {verify.shown(fault)}")
    return 1 if wrong or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
