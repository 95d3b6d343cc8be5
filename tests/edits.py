"""The one program that replaces lines in a source: for mutants.py, exercises.py and pages/run.py.

mutants.txt and exercises.txt are lists of entries:

    = a title
    - a line of the source, without indentation: it, or the lines that follow each other, must be there exactly once
    + what stands there instead; several edits follow each other
    > what is expected
    $ a command, instead of the source

It is Python, as its callers are: they edit texts, start programs in parallel, and read JSON.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class NotOnce(Exception):
    """The lines that are to be replaced are not there, or more than once."""


@dataclass
class Edit:
    removed: list = field(default_factory=list)  # without indentation
    added: list = field(default_factory=list)


@dataclass
class Entry:
    title: str
    edits: list = field(default_factory=list)
    expected: list = field(default_factory=list)
    command: str = ""


def entries_of(text):
    """The entries of a list, in its order. Text before the first entry is for readers."""
    entries = []
    for line in text.splitlines():
        sign, content = line[:1], line[2:]
        if line.startswith("= "):
            entries.append(Entry(content))
        elif entries and sign == "-":
            edits = entries[-1].edits
            if not edits or edits[-1].added:
                edits.append(Edit())
            edits[-1].removed.append(content.strip())
        elif entries and sign == "+":
            entries[-1].edits[-1].added.append(content)
        elif entries and sign == ">":
            entries[-1].expected.append(content)
        elif entries and sign == "$":
            entries[-1].command = content
    return entries


def edit_of_diff(diff):
    """The edit that a diff without line numbers shows: a line that begins with a space is on both sides."""
    lines = diff.splitlines()
    removed = [line[1:].strip() for line in lines if line.startswith(("-", " "))]
    return Edit(removed, [line[1:] for line in lines if line.startswith(("+", " "))])


def places_of(removed, lines):
    """Where these lines follow each other, by the index of the first."""
    size = len(removed)
    return [at for at in range(len(lines) - size + 1) if [line.strip() for line in lines[at : at + size]] == removed]


def replace(lines, edit):
    """Applies one edit to `lines`. Raises NotOnce."""
    places = places_of(edit.removed, lines)
    if len(places) != 1:
        raise NotOnce(f"{edit.removed[0]} is there {len(places)} times")
    lines[places[0] : places[0] + len(edit.removed)] = edit.added


def edited(text, edits):
    """The text after these edits, one after the other. Raises NotOnce."""
    lines = text.splitlines()
    for edit in edits:
        replace(lines, edit)
    return "\n".join(lines) + "\n"


class Compiler:
    """Makes servers of edited sources. All of them include net/socket.hpp, so the compiler reads it once, into `folder`:
    a place that no other run uses."""

    def __init__(self, folder):
        self.command = [*os.environ.get("CXX", "g++").split(), "-std=c++20", "-O0", "-iquote", "."]
        header = Path(folder, "socket.hpp")
        header.write_text('#include "net/socket.hpp"\n', encoding="utf-8")
        subprocess.run([*self.command, "-x", "c++-header", header, "-o", f"{header}.gch"], cwd=ROOT, check=True)
        self.read_once = ["-include", header]

    def make(self, program, sources, folder, warnings=()):
        """Compiles `sources` as if they stood in `folder`; objects and libraries among them are linked. With warnings, it
        reads every header as a reader's compiler would. Raises CalledProcessError."""
        headers = [] if warnings else self.read_once
        subprocess.run([*self.command, *headers, *warnings, "-iquote", folder, *sources, "-o", program], cwd=ROOT, check=True)
