#!/usr/bin/env python3
"""Makes vectors/producers/vectors.json with the real producers: what each makes of samples that follow a rule, and of a small layer the bytes.

Needs Go (1.26.8 and, as it makes what klauspost-2 makes, 1.27.3: it fetches them itself), pigz 2.6, and a Python over a stock zlib. Run it
where these are: the file must come out the same.
  producer_vectors.py write|compare
"""
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
FILE = HERE / "vectors" / "producers" / "vectors.json"
SIZE = 300_000
BLOCK = 131_072

GO = """package main
import ("bytes"; "io"; "os"; "strconv"; %s)
func check(err error) { if err != nil { panic(err) } }
func main() {
	in, err := io.ReadAll(os.Stdin); check(err)
	level, err := strconv.Atoi(os.Args[1]); check(err)
	var out bytes.Buffer
	%s
	_, err = w.Write(in); check(err)
	check(w.Close())
	os.Stdout.Write(out.Bytes())
}
"""
FLATE = "w, err := flate.NewWriter(&out, level); check(err)"
GO_OLD, GO_NEW = "go1.26.8", "go1.27.3"
PGZIP = "w, err := pgzip.NewWriterLevel(&out, level); check(err); check(w.SetConcurrency(%d, 2))" % BLOCK
# Name, module and version of klauspost/compress (none: Go's library), what makes the writer, import.
PROGRAMS = {
    "go-1": (None, FLATE, '"compress/flate"'),
    "klauspost-2": ("v1.20.3", FLATE, '"github.com/klauspost/compress/flate"'),
    "pgzip-2": ("v1.20.3", PGZIP, '"github.com/klauspost/pgzip"'),
    "pgzip-1": ("v1.18.0", PGZIP, '"github.com/klauspost/pgzip"'),
}
LEVELS = {
    "go-1": (1, 6, 9),
    "zlib-1": (6, 9),
    "pigz-1": (6, 9),
    "klauspost-2": (5, 6),
    "pgzip-2": (5,),
    "pgzip-1": (5,),
}


class Rule:
    def __init__(self):
        self.state = 1

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 33

    def below(self, bound):
        return self.next() % bound

    def byte(self):
        return self.next() >> 8 & 255

    def words(self, plain, size):
        while len(plain) < size:
            number = self.below(512) * self.below(512) // 512
            for letter in range(2 + number * 7 % 8):
                plain.append(97 + (number * 31 + letter * (number + 17)) % 26)
            plain.append(10 if self.below(11) == 0 else 32)


def pad(plain):
    plain.extend(bytes(-len(plain) % 512))


def sample(kind):
    rule, plain = Rule(), bytearray()
    if kind == "zeros":
        plain.extend(bytes(SIZE))
    elif kind == "noise":
        plain.extend(rule.byte() for _ in range(SIZE))
    elif kind == "text":
        rule.words(plain, SIZE)
    elif kind == "tar":
        number = 0
        while len(plain) < SIZE:
            body = rule.below(9000)
            plain.extend(b"layer/file-%05d" % number)
            pad(plain)
            end = len(plain) + body
            rule.words(plain, end)
            del plain[end:]
            pad(plain)
            number += 1
    elif kind == "binary":
        address = 0x401000
        while len(plain) < SIZE:
            address += 4 * (1 + rule.below(6))
            plain.append(0x48 + rule.byte() % 8)
            plain.extend((0x8B, rule.byte() % 64))
            plain.extend(address.to_bytes(4, "little"))
            plain.extend(bytes(rule.byte() % 5))
    elif kind == "far":
        plain.extend(rule.byte() for _ in range(40_000))
        turn = 0
        while len(plain) < SIZE:
            distance = (32768, 32767, 32769, 32506, 32507, 32505, 4096, 4097)[turn % 8]
            start = len(plain) - distance
            plain.extend(plain[start : start + 3 + rule.byte()])
            noise = rule.byte() % 9
            plain.extend(rule.byte() for _ in range(noise))
            turn += 1
    del plain[SIZE:]
    return bytes(plain)


def layer():
    """A plain that zstd makes much smaller than any deflate does: what the vectors of bundles carry."""
    plain = bytearray()
    Rule().words(plain, 600)
    return bytes(plain[:600]) + bytes(400_000) + bytes(plain[:600])


SAMPLES = ("empty", "zeros", "noise", "text", "tar", "binary", "far")


def build(folder):
    programs = {}
    for name, (version, writer, package) in {**PROGRAMS, GO_NEW: PROGRAMS["go-1"]}.items():
        environment = dict(os.environ, GOTOOLCHAIN=GO_NEW if name == GO_NEW else GO_OLD)
        place = folder / name
        place.mkdir()
        (place / "main.go").write_text(GO % (package, writer))
        (place / "go.mod").write_text("module vectors\ngo 1.25\n")
        if version:
            wanted = [f"github.com/klauspost/compress@{version}", "github.com/klauspost/pgzip@v1.2.5"]
            subprocess.run(["go", "get", *wanted], cwd=place, env=environment, check=True)
        subprocess.run(["go", "build", "-o", "program", "."], cwd=place, env=environment, check=True)
        programs[name] = place / "program"
    return programs


def real(name, level, plain, programs):
    if name == "zlib-1":
        one = zlib.compressobj(level, zlib.DEFLATED, -15, 8)
        return one.compress(plain) + one.flush()
    if name == "pigz-1":
        command = ["pigz", "-n", "-p", "2", "-b", str(BLOCK // 1024), f"-{level}"]
        return subprocess.run(command, input=plain, stdout=subprocess.PIPE, check=True).stdout[10:-8]
    made = subprocess.run([programs[name], str(level)], input=plain, stdout=subprocess.PIPE, check=True).stdout
    return made[10:-8] if name.startswith("pgzip") else made


def main():
    with tempfile.TemporaryDirectory() as folder:
        programs = build(pathlib.Path(folder))
        vectors = {"block": BLOCK, "outputs": [], "samples": {}, "layers": {}}
        for kind in SAMPLES:
            plain = sample(kind)
            vectors["samples"][kind] = {"sha256": hashlib.sha256(plain).hexdigest(), "size": len(plain)}
            for name, levels in LEVELS.items():
                for level in levels:
                    made = real(name, level, plain, programs)
                    if name == "klauspost-2" and real(GO_NEW, level, plain, programs) != made:
                        sys.exit(f"{GO_NEW} does not make what {name}-{level} makes of {kind}")
                    found = {"producer": f"{name}-{level}", "sample": kind}
                    found["sha256"], found["size"] = hashlib.sha256(made).hexdigest(), len(made)
                    vectors["outputs"].append(found)
        for name, levels in LEVELS.items():
            for level in levels:
                made = real(name, level, layer(), programs)
                vectors["layers"][f"{name}-{level}"] = base64.b64encode(made).decode()
    text = json.dumps(vectors, indent=1, sort_keys=True) + "\n"
    if sys.argv[1:] == ["write"]:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(text)
    elif sys.argv[1:] == ["compare"]:
        if FILE.read_text() != text:
            sys.exit(f"{FILE}: the real producers make other bytes")
    else:
        sys.exit(__doc__)
    print(f"{len(vectors['outputs'])} outputs of {len(SAMPLES)} samples")


if __name__ == "__main__":
    main()
