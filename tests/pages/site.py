#!/usr/bin/env python3
"""Tests the web site that `make site` makes: its links, and what a browser shows.

    site.py FOLDER              all links inside it lead somewhere
    site.py --browser FOLDER    on a screen of 360 pixels no page is wider than the screen, Mermaid's pictures are drawn,
                                and the search finds words in both languages
"""

import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE = 60  # seconds until a page is ready
SCREEN = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
SEARCHES = [("index.html", "waitpid zombie"), ("index.zh-CN.html", "僵尸进程")]
IS_DRAWN = """
const places = [...document.querySelectorAll('pre.mermaid')];
return places.every((place) => place.querySelector('svg :is(text, foreignObject)'));"""
FIND = """
const [words, done] = arguments;
const query = document.getElementById('query');
query.value = words;
query.onfocus().then(() => done(document.querySelectorAll('#found a').length));"""


class Document(HTMLParser):
    def __init__(self, file):
        super().__init__()
        self.links, self.anchors, self.twice = [], {""}, []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, _, attributes):
        given = dict(attributes)
        self.links += [given[name] for name in ("href", "src") if given.get(name)]
        if name := given.get("id"):
            self.twice += [name] * (name in self.anchors)
            self.anchors.add(name)


def is_recording(file):
    return file.parent.name == "replays" and not file.name.startswith("index.")


def faults_of_links(folder):
    files = [file for file in sorted(folder.glob("**/*.html")) if not is_recording(file)]
    documents = {file: Document(file) for file in files}
    for file, document in documents.items():
        for name in document.twice:
            yield f"{file}: two elements have the id {name}"
        for link in document.links:
            parts = urlsplit(link)
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not parts.scheme and not target.is_file():
                yield f"{file}: the link {link} leads nowhere"
            elif not parts.scheme and target in documents and unquote(parts.fragment) not in documents[target].anchors:
                yield f"{file}: the link {link} names nothing on its page"


def faults_in(browser, folder):
    wait = WebDriverWait(browser, PATIENCE, poll_frequency=0.05)
    for file in sorted(folder.glob("**/*.html")):
        if is_recording(file):
            continue
        browser.get(file.as_uri())
        wait.until(lambda b: b.execute_script(IS_DRAWN), f"{file}: Mermaid has not drawn its pictures")
        if (width := browser.execute_script("return document.documentElement.scrollWidth")) > SCREEN["width"]:
            yield f"{file}: {width} pixels wide, on a screen of {SCREEN['width']}"
    for name, words in SEARCHES:
        browser.get((folder / name).as_uri())
        if not browser.execute_async_script(FIND, words):
            yield f"{name}: the search does not find {words}"
        if browser.execute_async_script(FIND, words + " no_such_word"):
            yield f"{name}: the search finds a word that is nowhere"


def faults_of_browser(folder):
    options = webdriver.ChromeOptions()
    with tempfile.TemporaryDirectory() as profile:
        for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={profile}"):
            options.add_argument(flag)
        with webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver")) as browser:
            browser.set_script_timeout(PATIENCE)
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SCREEN)
            return list(faults_in(browser, folder))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = Path(sys.argv[-1]).resolve()
    faults = faults_of_browser(folder) if sys.argv[1] == "--browser" else list(faults_of_links(folder))
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"the site has {len(list(folder.glob('**/*.html')))} documents, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
