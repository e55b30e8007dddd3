#!/usr/bin/env python3
"""Judge every vector of what comes back from a site below a folder: run_status_vectors.py DIR; exits with 1 when one comes out otherwise.

A vector's files are judged in their order; all but the last MUST be good, `expect` is the verdict on the last. What ends in `.zst` is
stored compressed.
"""

import functools
import io
import json
import pathlib
import subprocess
import sys

import verify
import verify_status

# The same few keys come again and again, and their points are pure functions of their bytes.
verify.strict_point = functools.lru_cache(maxsize=1024)(verify.strict_point)


def stream_of(path):
    if path.suffix != ".zst":
        return open(path, "rb")
    return io.BufferedReader(io.BytesIO(subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout))


def judge_file(judge, path):
    with stream_of(path) as stream:
        return judge.stream(stream)


def run_status_vectors(folder):
    """Judge every vector below a folder; print counts; return the number that came out otherwise."""
    counts, wrong = {"good": 0, "refused": 0}, 0
    for path in sorted(pathlib.Path(folder).glob("*/*/vector.json")):
        vector, here = json.loads(path.read_text()), path.parent
        judge = verify_status.Judge([here / name for name in vector["enrolments"]], [here / name for name in vector["trust"]])
        before = [judge_file(judge, here / name) for name in vector["files"][:-1]]
        found = judge_file(judge, here / vector["files"][-1])
        short = {name: found[name] for name in ("verdict", "class", "code", "step") if name in found}
        counts["refused" if short["verdict"] == "refused" else "good"] += 1
        told = {"head": found["head"], "lines": found["lines"], "findings": sorted({one["code"] for one in found["findings"]})} \
            if "found" in vector and "findings" in found else vector.get("found")
        if short != vector["expect"] or told != vector.get("found") or any(one["verdict"] == "refused" for one in before):
            wrong += 1
            print(f"{here}: expected {vector['expect']}, found {short} {found.get('found', '')}"
                  + "".join(f"; before it {one['found']}" for one in before if one["verdict"] == "refused"))
    print(f"{counts['good']} vectors of what comes back accepted, {counts['refused']} refused, {wrong} otherwise than expected")
    return wrong if counts["good"] and counts["refused"] else 1


if __name__ == "__main__":
    sys.exit(1 if run_status_vectors(sys.argv[1]) else 0)
