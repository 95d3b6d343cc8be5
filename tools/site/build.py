#!/usr/bin/env python3
"""Makes a web site of the repository's pages, in both languages: build.py FOLDER

A page keeps its place: step_a_iterative/README.md becomes step_a_iterative/index.html. A link to a source file leads to
the repository at the address REPOSITORY; without an address it is plain text. The folder replays/ has a page when it
exists. The files book.html and book.zh-CN.html have all pages on one, for print.
"""

import html
import json
import os
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from pygments import formatters, highlight, lexers

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORDS = json.loads((HERE / "words.json").read_text(encoding="utf-8"))
TEMPLATE = string.Template((HERE / "page.html").read_text(encoding="utf-8"))
GROUPS = ["README", "step_ client", "exercises/README exercises", "tools/xray tools/diagnose tools/replay replays tools", ""]
ORDER = [(group, prefix) for group in GROUPS for prefix in group.split() or [""]]
REPOSITORY = os.environ.get("REPOSITORY", "").rstrip("/")


def block(text, kind):
    if kind == "mermaid":
        return f'<pre class="mermaid">{html.escape(text)}</pre>\n'
    return highlight(text, lexers.get_lexer_by_name(kind or "text"), formatters.HtmlFormatter())


MARKDOWN = MarkdownIt("commonmark").enable("table")
MARKDOWN.add_render_rule("fence", lambda _, tokens, at, *rest: block(tokens[at].content, tokens[at].info.strip()))
MARKDOWN.add_render_rule("table_open", lambda *rest: '<div class="wide"><table>')
MARKDOWN.add_render_rule("table_close", lambda *rest: "</table></div>\n")


class Page:
    """A Markdown file. A section is an anchor (the one that GitHub gives), a heading, and the words under it."""

    def __init__(self, name, text):
        self.name, self.text = name, text
        self.language = "zh-CN" if name.endswith(".zh-CN.md") else "en"
        self.out = re.sub(r"\bREADME\b", "index", name).removesuffix(".md") + ".html"
        self.rank = next(at for at, (_, prefix) in enumerate(ORDER) if name.startswith(prefix))
        self.sections, is_heading = [], False
        for token in MARKDOWN.parse(text):
            words = "".join(part.content or " " for part in token.children) if token.children else token.content
            if is_heading:
                anchor = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
                self.sections.append([anchor, words, ""])
            elif token.type in ("inline", "fence", "code_block"):
                self.sections[-1][2] += words + "\n"
            is_heading = token.type == "heading_open"
        self.title = self.sections[0][1]

    def path(self, target):
        return os.path.normpath(os.path.join(os.path.dirname(self.name), target)) if target else self.name

    def address(self, target, everywhere, in_book):
        """The target of a link of this page, on the site or in the book; None when it has none."""
        path, _, fragment = target.partition("#")
        name = self.path(path)
        page = everywhere.get(name) or everywhere.get(os.path.join(name, WORDS[self.language]["index"]))
        is_recording = name.startswith("replays/") and not page
        if re.match("https?:", target) or is_recording:
            return None if is_recording and in_book else target
        if not page:
            return f"{REPOSITORY}/blob/HEAD/{name}" if REPOSITORY else None
        if in_book:
            return f"#{page.out}" + f"-{fragment}" * bool(fragment) if page.language == self.language else None
        return os.path.relpath(page.out, os.path.dirname(self.name) or ".") + f"#{fragment}" * bool(fragment)

    def render(self, everywhere, folder, in_book=False):
        """Its HTML. The pictures that it shows are copied into the folder."""
        tokens, anchors = MARKDOWN.parse(self.text), iter(self.sections)
        for token in tokens:
            if token.type == "heading_open":
                token.attrSet("id", f"{self.out}-" * in_book + next(anchors)[0])
            for part in token.children or []:
                if part.type == "link_open":
                    address = self.address(part.attrGet("href"), everywhere, in_book)
                    part.attrs = {"href": address} if address else {}  # without an address it is plain text
                elif part.type == "image":
                    name = self.path(part.attrGet("src"))
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / name, folder / name)
                    part.attrSet("src", name if in_book else part.attrGet("src"))
        text = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
        return text.replace("<details", "<details open") if in_book else text


def pages_of(language):
    listed = subprocess.check_output("git ls-files --cached --others --exclude-standard *.md".split(), cwd=ROOT, text=True).split()
    pages = [Page(name, (ROOT / name).read_text(encoding="utf-8")) for name in listed if (ROOT / name).exists()]
    words, replays = WORDS[language], sorted((ROOT / "replays").glob("*.html"))
    if replays:
        links = "".join(f"- [{file.stem}]({file.name}{words['replay_hash']})\n" for file in replays)
        pages.append(Page(f"replays/{words['index']}", words["replays"] + links))
    return sorted((page for page in pages if page.language == language), key=lambda page: (page.rank, page.name))


def fill(file, pages, title, **parts):
    brand = html.escape(pages[0].title)
    names = WORDS[pages[0].language] | {"title": " · ".join(dict.fromkeys([html.escape(title), brand])), "brand": brand}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(TEMPLATE.substitute(names, **parts), encoding="utf-8")


def write_page(folder, pages, at, everywhere):
    page, words = pages[at], WORDS[pages[at].language]
    root = os.path.relpath(".", os.path.dirname(page.out) or ".")

    def link(one, attributes, text=""):
        return f'<a {attributes} href="{root}/{one.out}">{text}<span>{html.escape(one.title)}</span></a>'

    first = {ORDER[one.rank][0]: one for one in reversed(pages)}.values()  # of each group
    nav = [link(one, 'class="first" ' * (one in first) + 'aria-current="page"' * (one is page)) for one in pages]
    around = [link(one, 'rel="prev"', words["previous"]) for one in pages[max(at - 1, 0) : at]]
    around += [link(one, 'rel="next"', words["next"]) for one in pages[at + 1 : at + 2]]
    contents = [f'<a href="#{anchor}">{html.escape(heading)}</a>' for anchor, heading, _ in page.sections[1:]]
    other = page.out.replace(".zh-CN.", ".") if page.language != "en" else page.out.removesuffix("html") + "zh-CN.html"
    parts = {"nav": "\n".join(nav), "around": "\n".join(around), "contents": "\n".join(contents), "other": f"{root}/{other}"}
    fill(folder / page.out, pages, page.title, root=root, body=page.render(everywhere, folder), **parts)


def main():
    folder = Path(sys.argv[1])
    books = {language: pages_of(language) for language in WORDS}
    everywhere = {page.name: page for pages in books.values() for page in pages}
    for language, pages in books.items():
        words = WORDS[language]
        for at in range(len(pages)):
            write_page(folder, pages, at, everywhere)
        sections = [[page.out, page.title, *section] for page in pages for section in page.sections]
        index = json.dumps(sections, ensure_ascii=False)
        (folder / words["search_index"]).write_text(f"window.SECTIONS = {index};\n", encoding="utf-8")
        articles = [f'<article id="{page.out}">{page.render(everywhere, folder, True)}</article>' for page in pages]
        parts = {"other": "", "nav": "", "around": "", "contents": "", "body": "\n".join(articles)}
        fill(folder / words["pdf"].replace(".pdf", ".html"), pages, pages[0].title, root=".", **parts)


if __name__ == "__main__":
    main()
