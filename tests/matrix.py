#!/usr/bin/env python3
"""Prints the table of behaviours as measured: what diagnose says of each step.

    matrix.py --check   compares it with the tables on the pages (PAGES) instead; exit 1 when one differs

It is Python, since it starts programs in parallel, and reads their JSON.
"""

import difflib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import steps

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"docs/behaviours.md": "| | behaviour |", "docs/behaviours.zh-CN.md": "| | 行为 |"}  # and how their tables begin
TRANSLATED = 2  # the column of the descriptions


def diagnosed(letter):
    """The report of diagnose for the step: a list of the behaviours that tell the steps apart."""
    command = [f"{steps.RUN}diagnose", "--json", *steps.command_of(letter)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    try:
        return [row for row in json.loads(said.stdout)["behaviours"] if row["group"] == "steps"]
    except (json.JSONDecodeError, KeyError):
        raise SystemExit(f"diagnose has failed on step_{letter}: {said.stdout}{said.stderr}") from None


def measured():
    """The table, a list of rows, which are lists of cells."""
    with ThreadPoolExecutor(len(steps.LETTERS)) as pool:
        columns = list(pool.map(diagnosed, steps.LETTERS))
    table = [["", "behaviour", *steps.LETTERS], ["---"] * (2 + len(columns))]
    for row in zip(*columns):
        answers = ["–" if one["answer"] == "not applicable" else one["answer"] for one in row]
        table.append([row[0]["name"], row[0]["description"], *answers])
    return table


def line_of(cells):
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def table_in(page, begin):
    """The lines of the page's table."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(begin))
    end = next(at for at in range(start, len(lines)) if not lines[at].startswith("|"))
    return lines[start:end]


def without_descriptions(lines):
    cells = [line.split("|") for line in lines]
    return ["|".join(row[:TRANSLATED] + row[TRANSLATED + 1 :]) for row in cells]


def differences(lines):
    """The differences between the pages' tables and the measured one, as a diff. Descriptions are compared in English
    alone."""
    found = []
    for page, begin in PAGES.items():
        theirs = table_in(page, begin)
        is_english = not page.endswith(".zh-CN.md")
        pair = (theirs, lines) if is_english else (without_descriptions(theirs), without_descriptions(lines))
        found += difflib.unified_diff(*pair, page, "measured", lineterm="", n=0)
    return found


def main():
    lines = [line_of(row) for row in measured()]
    if sys.argv[1:] != ["--check"]:
        print(*lines, sep="\n")
        return 0
    found = differences(lines)
    print(*found or ["both pages have the table that is measured"], sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
