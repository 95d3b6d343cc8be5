"""What is said of a class: a table on the terminal, and the files CSV, JSON and JUnit XML."""

import csv
import json
import sys
import xml.etree.ElementTree as ET

DONE, NOT_YET, FAILED = "done", "not yet", "failed"
MOST_SHOWN = 500  # characters
MARKS = {DONE: "✓", NOT_YET: "·", FAILED: "!"}


def printable(text):
    """What students have written, and their programs, as it may go to a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:MOST_SHOWN])


def print_progress(futures):
    print(f"\r{sum(one.done() for one in futures)} of {len(futures)} checks\r", end="", file=sys.stderr, flush=True)


def print_clone(report, width):
    marks = "".join(f"{MARKS[one['state']]:>3}" for one in report["exercises"])
    print(f"{report['clone']:{width}}{marks}  {report['done']:2} of {len(report['exercises'])} {report['seconds']:6.1f} s")
    for one in report["exercises"]:
        if one["state"] == FAILED:
            print(f"    {one['number']} {one['name']}: {one['reason']}")
    sys.stdout.flush()


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
