#!/usr/bin/env python3
"""Judge many bundles in one process: judge_many.py TIME ROOT.JSON…

Standard input holds, for each bundle, a line with its length in bytes and then these bytes; each is answered with one line of
JSON on standard output: verdict, and class, code and step of a refusal. The tests feed verify.py with what they forge.
"""

import copy
import functools
import io
import json
import pathlib
import sys

import verify

# The same few keys come again and again, and their points are pure functions of their bytes.
verify.strict_point = functools.lru_cache(maxsize=1024)(verify.strict_point)


def fresh(chain):
    """A chain as it was pinned: a bundle's links extend it."""
    made = copy.copy(chain)
    made.payloads, made.roots = list(chain.payloads), list(chain.roots)
    return made


def judge(data, chains, at):
    try:
        return {"verdict": verify.Verifier(verify.Source(io.BytesIO(data)), [fresh(chain) for chain in chains], at=at).run()}
    except verify.Refusal as refusal:
        return {"verdict": "refused", "class": refusal.kind, "code": refusal.code, "step": refusal.step}
    except Exception as bug:  # a verifier that stumbles is told, not repaired: the feed must see it
        return {"verdict": "bug", "class": "E-INTERNAL", "code": repr(bug)[:200], "step": None}


def main():
    at, pins = sys.argv[1], sys.argv[2:]
    chains = [verify.Chain(pathlib.Path(pin).read_bytes()) for pin in pins]
    while line := sys.stdin.buffer.readline():
        print(json.dumps(judge(sys.stdin.buffer.read(int(line)), chains, at)), flush=True)


if __name__ == "__main__":
    main()
