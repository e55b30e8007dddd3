#!/usr/bin/env python3
"""Judge every vector below a folder with verify.py: run_vectors.py DIR; exits with 1 when one comes out otherwise."""

import json
import pathlib
import sys

from verify import judge, parse_mark


def run_vectors(folder):
    """Judge every vector below a folder; print counts; return the number that came out otherwise."""
    counts, wrong = {"good": 0, "refused": 0}, 0
    for path in sorted(pathlib.Path(folder).glob("**/vector.json")):
        vector = json.loads(path.read_text())
        here = path.parent
        mark = parse_mark(vector["mark"]) if "mark" in vector else None
        others = [here / name for name in vector.get("volumes", ())]
        bases = [here / vector["base"]] if "base" in vector else []
        found = judge(here / vector["bundle"], [here / name for name in vector["trust"]], vector.get("site"), mark,
                      vector.get("at"), bases=bases, others=others)
        short = {name: found[name] for name in ("verdict", "class", "code", "step") if name in found}
        # What only a rebuild shows, it does not refuse for; it says how many layers it has not made again.
        expected, unproven = dict(vector["expect"]), vector.get("unproven", 0)
        if unproven and expected["verdict"] == "refused":
            expected = {"verdict": "good"}
        missed = found.get("not_rebuilt", {"blobs": 0})["blobs"]
        unmade = found.get("not_restored", {"blobs": 0})["blobs"]
        counts["refused" if short["verdict"] == "refused" else "good"] += 1
        if short != expected or missed != unproven or unmade:
            wrong += 1
            print(f"{here}: expected {expected} and {unproven} not rebuilt, found {short}, {missed} and {unmade} not restored {found.get('found', '')}")
    print(f"{counts['good']} vectors accepted, {counts['refused']} refused, {wrong} otherwise than expected")
    return wrong if counts["good"] and counts["refused"] else 1


if __name__ == "__main__":
    sys.exit(1 if run_vectors(sys.argv[1]) else 0)
