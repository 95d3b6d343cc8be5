"""A page of the tutorial, as the checks see it: its fenced blocks in order, and the words in them that vary."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

TERMINAL = re.compile(r"(?:terminal|终端)\s*(\d)", re.IGNORECASE)
VARIES = re.compile(r"<!--\s*varies:\s*(.*?)\s*-->", re.DOTALL)


@dataclass
class Block:
    """A fenced block. `terminal` is the terminal that the text before it names, or that of the block before it."""

    kind: str
    text: str
    line: int
    terminal: int = 1


class Page:
    """A Markdown file of the repository.

    Comments, which GitHub does not show, declare the words that vary from run to run: `<!-- varies: 4711, 7.88.1 -->`.
    Each number of a declared word stands for any other, and a month's name (Nov) for any month's. A word stands for the
    same text wherever it is in the page.
    """

    def __init__(self, root, path):
        self.root = root
        self.path = path
        self.tokens = MarkdownIt("commonmark").enable("table").parse((root / path).read_text(encoding="utf-8"))
        self.varying = []
        self.blocks = []
        terminal = 1
        for token in self.tokens:
            for declared in VARIES.findall(token.content):
                self.varying += re.split(r"\s*,\s*", declared)
            if token.type == "inline" and (named := TERMINAL.findall(token.content)):
                terminal = int(named[-1])
            elif token.type == "fence":
                self.blocks.append(Block(token.info.strip(), token.content, token.map[0] + 1, terminal))

    def at(self, block):
        return f"{self.path}:{block.line}"


def all_pages(root):
    """The pages that are under version control, or will be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split()
    return [Page(root, Path(name)) for name in sorted(listed) if (root / name).exists()]
