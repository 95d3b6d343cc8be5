#!/usr/bin/env python3
"""Checks everything on all pages that can be checked without running anything.

Each link leads somewhere. Code that a page shows is in the sources. Every block is of a kind that is checked. The
Chinese page of a pair has the blocks of the English one.
"""

import re
import sys
from pathlib import Path
from urllib.parse import unquote

from page import all_pages

KINDS = {"console", "cpp", "c", "diff", "mermaid", "python", "sh", "dockerfile", "yaml", "text"}
SOURCES = {
    "cpp": ("*.cpp", "*.hpp"),
    "c": ("*.c",),
    "python": ("*.py",),
    "sh": ("*.sh",),
    "dockerfile": ("Dockerfile",),
    "yaml": ("*.yml",),
    "text": ("tools/bench/figures/*.txt",),  # measurements
}
SAME_IN_BOTH = KINDS - {"mermaid"}  # the words in a picture are translated


def lines_of(text):
    """The text's lines without their indentation: a page may show the inside of a function."""
    return [line.strip() for line in text.strip().splitlines()]


def contains(lines, wanted):
    return any(lines[at : at + len(wanted)] == wanted for at in range(len(lines) - len(wanted) + 1))


def is_in_sources(root, kind, text):
    wanted = lines_of(text)
    files = [file for pattern in SOURCES[kind] for file in root.glob("**/" + pattern) if "build" not in file.parts]
    return any(contains(lines_of(file.read_text(encoding="utf-8")), wanted) for file in files)


def anchor(heading):
    """The anchor that GitHub gives to a heading."""
    plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return plain.replace(" ", "-")


def anchors_of(page):
    all_tokens = zip(page.tokens, page.tokens[1:])
    return {anchor("".join(part.content for part in inline.children)) for token, inline in all_tokens if token.type == "heading_open"}


def broken_links(page, pages):
    for token in page.tokens:
        for child in token.children or []:
            target = child.attrGet("href") or child.attrGet("src") if child.type in ("link_open", "image") else None
            if target is None or re.match(r"https?://", target):
                continue
            path, _, fragment = unquote(target).partition("#")
            file = (page.root / page.path.parent / path).resolve() if path else page.root / page.path
            if not file.exists():
                yield f"{page.path}: the link {target} leads nowhere"
            elif fragment:
                name = file.relative_to(page.root.resolve()) if file.is_absolute() else file
                if name not in pages or fragment not in anchors_of(pages[name]):
                    yield f"{page.path}: the link {target} names no heading"


def block_faults(page):
    for block in page.blocks:
        if block.kind not in KINDS:
            yield f"{page.at(block)}: a block of the kind {block.kind!r} is checked by nobody"
        elif block.kind in SOURCES and not is_in_sources(page.root, block.kind, block.text):
            yield f"{page.at(block)}: this code is not in the sources:\n{block.text}"
        elif block.kind == "diff":
            removed = [line[1:] for line in block.text.splitlines() if line.startswith(("-", " "))]
            if not removed or not is_in_sources(page.root, "cpp", "\n".join(removed)):
                yield f"{page.at(block)}: what this edit takes away is not in the sources:\n{block.text}"


def language_faults(page, pages):
    if page.path.name.endswith(".zh-CN.md"):
        return
    other = pages.get(page.path.with_suffix(".zh-CN.md"))
    if other is None:
        yield f"{page.path}: there is no Chinese page beside it"
        return
    ours = [block for block in page.blocks if block.kind in SAME_IN_BOTH]
    theirs = [block for block in other.blocks if block.kind in SAME_IN_BOTH]
    for one, two in zip(ours, theirs):
        if (one.kind, one.terminal, one.text) != (two.kind, two.terminal, two.text):
            yield f"{page.at(one)} and {other.at(two)} differ:\n{one.text}---\n{two.text}"
            return
    if len(ours) != len(theirs):
        yield f"{page.path} has {len(ours)} blocks, {other.path} has {len(theirs)}"
    if sorted(page.varying) != sorted(other.varying):
        yield f"{page.path} and {other.path} differ in what varies"
    pictures = [sum(block.kind == "mermaid" for block in one.blocks) for one in (page, other)]
    if pictures[0] != pictures[1]:
        yield f"{page.path} has {pictures[0]} pictures, {other.path} has {pictures[1]}"


def main():
    root = Path(__file__).resolve().parents[2]
    pages = {page.path: page for page in all_pages(root)}
    faults = [
        fault
        for page in pages.values()
        for found in (broken_links(page, pages), block_faults(page), language_faults(page, pages))
        for fault in found
    ]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{len(pages)} pages read, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
