"""The reports about a class: a table on the terminal, and the files CSV, JSON and JUnit XML."""

import csv
import json
import sys
import xml.etree.ElementTree as ET

DONE, NOT_YET, FAILED = "done", "not yet", "failed"
MOST_SHOWN = 500  # characters
ERASE = "\r\x1b[K"  # the line of a terminal (console_codes(4))
MARKS = {DONE: "✓", NOT_YET: "·", FAILED: "!"}


def printable(text):
    """The text of a student or a student's program, shortened, and safe for a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:MOST_SHOWN])


def show_progress(futures):
    """Counts on a line of the terminal, which the next line erases."""
    if not sys.stderr.isatty():
        return

    def count(_):
        done = sum(one.done() for one in futures)
        print(f"{ERASE}{done} of {len(futures)} checks", end="", file=sys.stderr, flush=True)

    for future in futures:
        future.add_done_callback(count)


def print_line(text):
    print((ERASE if sys.stdout.isatty() else "") + text, flush=True)


def print_clone(report, width):
    marks = "".join(f"{MARKS[one['state']]:>3}" for one in report["exercises"])
    count = f"{report['done']:2} of {len(report['exercises'])}"
    print_line(f"{report['clone']:{width}}{marks}  {count} {report['seconds']:6.1f} s")
    for one in report["exercises"]:
        if one["state"] == FAILED:
            print_line(f"    {one['number']} {one['name']}: {one['reason']}")


def write_reports(clones, path):
    path.with_suffix(".json").write_text(json.dumps(clones, indent=1) + "\n")
    with path.with_suffix(".csv").open("w", newline="") as file:
        names = [f"exercise_{one['number']}" for one in clones[0]["exercises"]] if clones else []
        writer = csv.writer(file)
        writer.writerow(["clone", *names, "done", "of", "seconds", "what failed"])
        for clone in clones:
            exercises = clone["exercises"]
            failed = [f"exercise_{one['number']}: {one['reason']}" for one in exercises if one["state"] == FAILED]
            states = [one["state"] for one in exercises]
            writer.writerow([clone["clone"], *states, clone["done"], len(states), clone["seconds"], "\n".join(failed)])
    root = ET.Element("testsuites")
    for clone in clones:
        exercises = clone["exercises"]
        failures = len(exercises) - clone["done"]
        counts = {"tests": str(len(exercises)), "failures": str(failures), "errors": "0", "time": str(clone["seconds"])}
        suite = ET.SubElement(root, "testsuite", name=clone["clone"], **counts)
        for one in exercises:
            name = f"exercise_{one['number']} {one['name']}"
            case = ET.SubElement(suite, "testcase", classname=clone["clone"], name=name, time=str(one["seconds"]))
            if one["state"] != DONE:
                ET.SubElement(case, "failure", message=one["reason"])
    ET.ElementTree(root).write(path.with_suffix(".xml"), encoding="utf-8", xml_declaration=True)
