#!/usr/bin/env python3
"""Tests diagnose: tells the servers of mutants.txt from the steps that they were made from.

    mutants.py            all of them, and then how many were told apart; exit 1 when one was not as the list says
    mutants.py NUMBER     the one with this number in the list

It is Python, since it edits texts and starts programs in parallel.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import edits
import steps

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("BUILD") or "build") / "mutants"
AT_ONCE = 8
NAME = 23  # columns that a behaviour's name takes in a line of diagnose
NO_SERVER = 3  # diagnose's exit status when the server did not start or listen


def diagnosed(command):
    """The report of diagnose for a server: a set of "reaps many: no", and the whole text."""
    said = subprocess.run(f"{steps.RUN}diagnose {command}", shell=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = said.stdout.decode(errors="replace")
    if said.returncode == NO_SERVER:
        return {"does not listen"}, text
    lines = text.splitlines()[:-1]  # the last one is the verdict
    return {f"{line[:NAME].rstrip()}: {(line[NAME:].split() or [''])[0]}" for line in lines}, text


def step_of(entry):
    return entry.title.split(":")[0]


def command_of(entry, number, compiler):
    """The command that starts the server of this entry; compiles the server, unless the entry is a command. Raises
    edits.NotOnce, CalledProcessError."""
    if entry.command:
        return entry.command
    (source,) = ROOT.glob(f"{step_of(entry)}_*/*.cpp")
    mutant = BUILD / f"{number}.cpp"
    (ROOT / mutant).write_text(edits.edited(source.read_text(encoding="utf-8"), entry.edits), encoding="utf-8")
    server = mutant.with_suffix(".server")
    compiler.make(server, [mutant], source.parent)
    return str(server)


def fault_of(entry, number, words_of_step, compiler):
    """The differences between the report of diagnose and the list; empty when there are none."""
    expected = {line for line in entry.expected if not line.startswith("nothing: ")}
    try:
        words, text = diagnosed(command_of(entry, number, compiler))
    except edits.NotOnce as fault:
        return f"{entry.title}: {fault}"
    except subprocess.CalledProcessError:
        return f"{entry.title}: does not compile"
    found = words - words_of_step[step_of(entry)]
    if found == expected:
        return ""
    lines = [f"  expected: {word}" for word in sorted(expected - found)]
    lines += [f"  found:    {word}" for word in sorted(found - expected)]
    return "\n".join([entry.title, *lines, *(f"    {line}" for line in text.splitlines())])


def main():
    (ROOT / BUILD).mkdir(parents=True, exist_ok=True)
    entries = edits.entries_of((ROOT / "tests" / "mutants.txt").read_text(encoding="utf-8"))
    numbered = list(enumerate(entries, 1))
    if wanted := {int(number) for number in sys.argv[1:]}:
        numbered = [(number, entry) for number, entry in numbered if number in wanted]
    steps = sorted({step_of(entry) for _, entry in numbered})
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        compiler = edits.Compiler(folder)
        words_of_step = dict(zip(steps, pool.map(lambda step: diagnosed(f"./{step}")[0], steps)))
        reports = list(pool.map(lambda one: fault_of(one[1], one[0], words_of_step, compiler), numbered))
    faults = [report for report in reports if report]
    if faults:
        print(*faults, sep="\n")
    if wanted:
        return 1 if faults else 0
    equal, missing = (
        sum(any(line.startswith(f"nothing: {kind}") for line in entry.expected) for entry in entries)
        for kind in ("equal", "a missing probe")
    )
    count = len(entries)
    print(
        f"{count - equal - missing} servers to be told apart, {equal} equal to their step, {missing} without a probe: "
        f"{count - len(faults)} passed, {len(faults)} failed"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
