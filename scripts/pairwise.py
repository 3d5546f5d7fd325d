#!/usr/bin/env python3
"""Runs the end-to-end tests under other behaviours of Caspio: every two values of two knobs meet in a row.

    python3 scripts/pairwise.py [--rows N] [--row N] [TEST…]

The knobs are the emulator's (host/emulator/README.md). Rows are searched greedily and are the same each time; each is
one run of the tests (all of them when none is named) with `EMULATOR_KNOBS` set; a test that is about one of the knobs
itself pins it (`tests/src/account.rs`). Needs what `make build` has built. Exit code 0 and a last line `pairwise: ok …`
only when all tests pass in all rows.
"""

import argparse
import itertools
import math
import os
import re
import subprocess
import sys
from random import Random

# Several settings of one value stand between blanks. Not here: lost connections, which tests of their own make, since
# they park runs, and test messages, which tests count.
KNOBS = {
    "signature": [
        "Signature.Encoding=Hex",
        "Signature.Encoding=Base64 Signature.Prefix=sha256=",
        "Signature.Encoding=Base64Url Signature.KeyForm=Hex Signature.Header=X-Hook-Hmac",
        "Signature=null",
    ],
    "secret": ["SecretInBody=true", "SecretInBody=false"],
    "list": ["WebhookList=Array", "WebhookList=Result WebhookListSecrets=true"],
    "batch": ["BatchMode=MessagePerRow", "BatchMode=MessagePerOperation"],
    "duplicates": ["DuplicateProbability=0", "DuplicateProbability=0.3"],
    "order": ["ReorderProbability=0", "ReorderProbability=0.3"],
    "limit": [
        "RateLimit=null",
        "RateLimit.Calls=60 RateLimit.WindowMillis=1000 RateLimit.Form=Array400",
        "RateLimit.Calls=60 RateLimit.WindowMillis=1000 RateLimit.Form=Status429 RateLimit.RetryAfterSeconds=1",
    ],
    "numbers": ["UnsetNumbers=Null", "UnsetNumbers=EmptyText"],
    "forms": ['ListForms=["BracketedIds","Ids","Texts"]', 'ListForms=["BracketedIds"]'],
    "body": ["ByteOrderMark=false", "ByteOrderMark=true ContentType=text/plain EventDateSuffix=Z"],
    "answer": ["LocationHeader=true", "LocationHeader=false Network.LatencyMillis=20"],
}

# Its rows are as few as can be; others are tried when the knobs change.
FIRST_SEED = 30

# Left out: `knobs`, which sets all knobs itself, and `documents`, which does what the documents say.
TESTS = "actions calls coverage durable ingress journey lineage operations refusals sandbox triggers".split()


def possible(row):
    """A message must prove itself in one way at least."""
    return not (row.get("signature") == "Signature=null" and row.get("secret") == "SecretInBody=false")


def pairs_of(row):
    return {frozenset([(a, row[a]), (b, row[b])]) for a, b in itertools.combinations(row, 2)}


def all_pairs():
    """Every two values of two knobs that can meet."""
    wanted = set()
    for a, b in itertools.combinations(KNOBS, 2):
        for one, other in itertools.product(KNOBS[a], KNOBS[b]):
            if possible({a: one, b: other}):
                wanted.add(frozenset([(a, one), (b, other)]))
    return wanted


def some_row(random, wanted):
    """From a pair that is left over, value by value what covers most."""
    row = dict(random.choice(sorted(tuple(sorted(pair)) for pair in wanted)))
    for knob in random.sample(sorted(KNOBS), len(KNOBS)):
        if knob not in row:
            choices = [value for value in KNOBS[knob] if possible({**row, knob: value})]
            random.shuffle(choices)
            row[knob] = max(choices, key=lambda value: len(pairs_of({**row, knob: value}) & wanted))
    return {knob: row[knob] for knob in KNOBS}


def rows():
    """Rows that have every possible pair, as few as can be: the two knobs with most values need a row for each pair of theirs."""
    fewest = math.prod(sorted(map(len, KNOBS.values()))[-2:])
    best = None
    for seed in range(FIRST_SEED, FIRST_SEED + 20):
        random, wanted, found = Random(seed), all_pairs(), []
        while wanted and (best is None or len(found) < len(best)):
            tried = filter(possible, (some_row(random, wanted) for _ in range(30)))
            row = max(tried, key=lambda row: len(pairs_of(row) & wanted))
            wanted -= pairs_of(row)
            found.append(row)
        if not wanted and (best is None or len(found) < len(best)):
            best = found
        if len(best) == fewest:
            break
    return best, len(all_pairs())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, help="only so many rows, from the first")
    arguments.add_argument("--row", type=int, help="only this one, from 1")
    arguments.add_argument("tests", nargs="*", default=TESTS)
    given = arguments.parse_args()
    found, total = rows()
    chosen = found[given.row - 1:given.row] if given.row else found[:given.rows]
    tests = 0
    failed = []
    for number, row in enumerate(chosen, 1):
        knobs = " ".join(row.values())
        print(f"pairwise: row {number} of {len(chosen)}: {knobs}", flush=True)
        command = ["cargo", "nextest", "run", "--locked", "-p", "caspian-e2e", "--no-fail-fast", "--status-level", "fail"]
        command += [part for test in given.tests for part in ("--test", test)]
        done = subprocess.run(
            command, env={**os.environ, "EMULATOR_KNOBS": knobs}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        passed = re.search(r"(\d+) passed", done.stdout)
        tests += int(passed.group(1)) if passed else 0
        if done.returncode != 0:
            print(done.stdout, flush=True)
            failed.append(str(number))
    if failed:
        sys.exit(f"pairwise: tests failed in row {', '.join(failed)}")
    covered = len(set().union(*map(pairs_of, chosen)))
    print(f"pairwise: ok rows={len(chosen)} pairs={covered} of {total} tests={tests}")


if __name__ == "__main__":
    main()
