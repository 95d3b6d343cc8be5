#!/usr/bin/env python3
"""Repeats the suite, and diagnose on every step, with a busy loop on each core, and counts what failed.

    soak.py [ROUNDS]   without a number: until it is interrupted

It is Python, since it starts programs in parallel.
"""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import steps

ROOT = Path(__file__).resolve().parents[1]


def started(command):
    """A program that writes all it says into a file, and the file."""
    log = tempfile.TemporaryFile()
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT), log


def failures_of_round(number):
    programs = {"the suite": started(["make", "--silent", "test"])}
    for letter in steps.LETTERS:
        programs[f"diagnose step_{letter}"] = started([f"{steps.RUN}diagnose", "--expect", letter, *steps.command_of(letter)])
    failures = 0
    try:
        for name, (program, log) in programs.items():
            if program.wait() != 0:
                failures += 1
                log.seek(0)
                print(f"round {number}: {name}\n{log.read().decode(errors='replace')}", end="", flush=True)
    finally:  # interrupted: nothing goes on
        for program, log in programs.values():
            program.terminate()
            log.close()
    return failures


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    signal.signal(signal.SIGTERM, interrupt)
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)]
    done = failures = 0
    try:
        for number in range(1, rounds + 1) if rounds else itertools.count(1):
            failures += failures_of_round(number)
            done = number
            print(f"round {number}: {failures} failures so far", flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        for loop in busy:
            loop.kill()
    print(f"{failures} failures in {done} rounds")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
