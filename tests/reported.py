#!/usr/bin/env python3
"""Tests diagnose on the faults that users of real servers have reported: in tests/reported, a small server for each.

    reported.py [NAME…]           the row that the server's second line names is no, and yes when it is mended
    reported.py --whole [NAME…]   all rows are tried as well: none is undecided

It is Python, since it starts programs in parallel, and reads their JSON.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import steps

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "tests" / "reported"
BUILD = ROOT / (os.environ.get("BUILD") or "build") / "reported"
AT_ONCE = 8


def row_of(source):
    """The name of the row that the server's fault shows in."""
    comment = source.read_text(encoding="utf-8").splitlines()[1]
    name, _, answer = comment.removeprefix("// ").rpartition(": ")
    if answer != "no":
        raise SystemExit(f"{source.name}: its second line names no row")
    return name


def built(source, is_mended):
    server = BUILD / (source.stem + ("_mended" if is_mended else ""))
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", *(["-DMENDED"] if is_mended else [])]
    subprocess.run([os.environ.get("CC") or "cc", *flags, source, "-pthread", "-o", server], check=True)
    return server


def rows_of(server, options):
    """The report of diagnose: a dictionary of the rows by their names."""
    said = subprocess.run([f"{steps.RUN}diagnose", "--json", *options, server], cwd=ROOT, capture_output=True, text=True)
    try:
        return {row["name"]: row for row in json.loads(said.stdout)["behaviours"]}
    except (json.JSONDecodeError, KeyError):
        return {"": {"name": "", "answer": "undecided", "evidence": said.stdout + said.stderr}}


def faults_of(source, is_mended, is_whole):
    """The rows that are not as expected, a line each."""
    name = row_of(source)
    rows = rows_of(built(source, is_mended), [] if is_whole else ["--only", name])
    wanted = "yes" if is_mended else "no"
    wrong = [row for row in rows.values() if row["answer"] == "undecided" or (row["name"] == name and row["answer"] != wanted)]
    title = source.stem + (", mended" if is_mended else "")
    return [f"{title}: {row['name']}: {row['answer']}: {row['evidence']}" for row in wrong or ([] if name in rows else [{}])]


def main():
    names = set(sys.argv[1:]) - {"--whole"}
    is_whole = "--whole" in sys.argv
    BUILD.mkdir(parents=True, exist_ok=True)
    sources = [source for source in sorted(SOURCES.glob("*.c")) if not names or source.stem in names]
    trials = [(source, is_mended) for source in sources for is_mended in (False, True)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda trial: faults_of(*trial, is_whole), trials))
    for fault in sum(results, []):
        print(fault)
    failed = sum(1 for faults in results if faults)
    print(f"{len(sources)} reported faults, each also mended: {len(trials) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
