#!/usr/bin/env python3
"""Judge many files in one process.

    judge_many.py TIME ROOT.JSON…              bundles
    judge_many.py --enrolment ENROLMENT.JSON…  status packages, each by itself

Standard input holds, for each file, a line with its length in bytes and then these bytes; each is answered with one line of
JSON on standard output: verdict, and class, code and step of a refusal. The tests feed verify.py with what they forge.
"""

import copy
import functools
import io
import json
import pathlib
import sys

import verify
import verify_package

# The same few keys come again and again, and their points are pure functions of their bytes.
verify.strict_point = functools.lru_cache(maxsize=1024)(verify.strict_point)


def fresh(chain):
    """A chain as it was pinned: a bundle's links extend it."""
    made = copy.copy(chain)
    made.payloads, made.roots = list(chain.payloads), list(chain.roots)
    return made


def bundle(data, chains, at):
    return verify.Verifier(verify.Source(io.BytesIO(data)), [fresh(chain) for chain in chains], at=at).run()


def judge(verdict):
    try:
        return {"verdict": verdict()}
    except verify.Refusal as refusal:
        return {"verdict": "refused", "class": refusal.kind, "code": refusal.code, "step": refusal.step}
    except Exception as bug:  # a verifier that stumbles is told, not repaired: the feed must see it
        return {"verdict": "bug", "class": "E-INTERNAL", "code": repr(bug)[:200], "step": None}


def main():
    how, *files = sys.argv[1:]
    files = [pathlib.Path(file).read_bytes() for file in files]
    if how == "--enrolment":
        sites = verify_package.Sites(files)
    else:
        chains = [verify.Chain(file) for file in files]
    while line := sys.stdin.buffer.readline():
        data = sys.stdin.buffer.read(int(line))
        if how == "--enrolment":
            found = judge(lambda data=data: verify_package.Package(io.BytesIO(data), sites).run())
        else:
            found = judge(lambda data=data: bundle(data, chains, how))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
