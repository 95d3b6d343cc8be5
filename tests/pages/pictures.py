#!/usr/bin/env python3
"""Draws every picture of the pages as GitHub does, with Mermaid in a browser, on a light and on a dark page.

    pictures.py FILE     Mermaid's mermaid.min.js

The browser, Debian's chromium, runs in namespaces of its own (unshare(1)): it reaches no network, and at the end nothing
of it is left. It loads a file that draws one picture after the other and writes down what has become of each.
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from page import all_pages

PATIENCE = 120  # seconds for all pictures
THEMES = ("default", "dark")  # Mermaid's names for the themes that GitHub uses
BROKEN = "sequenceDiagram\n    A->B->C: this is no message\n"
ROOT = Path(__file__).resolve().parents[2]

DRAW = """<!DOCTYPE html>
<meta charset="utf-8">
<body>
<script src="MERMAID"></script>
<script>
const draw = async (text, theme, name) => {
    mermaid.initialize({startOnLoad: false, theme: theme});
    try {
        const {svg} = await mermaid.render(name, text);
        const picture = new DOMParser().parseFromString(svg, "text/html").querySelector("svg");
        return picture && picture.querySelector("text, foreignObject") ? "" : "a picture without a word";
    } catch (error) {
        return String(error.message || error);
    }
};
(async () => {
    const faults = [];
    for (const [text, theme] of PICTURES) faults.push(await draw(text, theme, "picture" + faults.length));
    document.body.replaceChildren(Object.assign(document.createElement("pre"), {textContent: JSON.stringify(faults)}));
})();
</script>
"""


def browse(address, folder):
    """Loads the document at this address. Returns its HTML, once nothing more happens in it. Exits with a message when
    that fails."""
    unshare = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    offline = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", *offline]
    wanted = [f"--user-data-dir={folder}/profile", "--virtual-time-budget=600000", "--dump-dom", address]
    homes = {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TMPDIR")}
    command = [*unshare, "chromium", *flags, *wanted]
    try:
        done = subprocess.run(command, env={**os.environ, **homes}, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        sys.exit(f"chromium has not drawn the pictures in {PATIENCE} seconds")
    if done.returncode != 0:
        sys.exit(f"chromium failed, status {done.returncode}:\n{done.stderr}")
    return done.stdout


def faults_of(pictures, mermaid):
    """Mermaid's error for each of these pairs of a text and a theme: "" when it has drawn a picture."""
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "draw.html"
        texts = json.dumps(pictures).replace("<", "\\u003c")
        document.write_text(DRAW.replace("MERMAID", mermaid.resolve().as_uri()).replace("PICTURES", texts), encoding="utf-8")
        dump = browse(document.as_uri(), folder)
    written = re.search(r"<pre>(.*)</pre>", dump, re.DOTALL)
    if not written:
        sys.exit(f"Mermaid did not come to its end; chromium's document:\n{dump[-3000:]}")
    return json.loads(html.unescape(written[1]))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    mermaid = Path(sys.argv[1])
    missing = [name for name in ("chromium", "unshare") if not shutil.which(name)] + [str(mermaid)] * (not mermaid.is_file())
    if missing:
        sys.exit(f"the pictures cannot be drawn without: {', '.join(missing)} (make deps_docs)")

    drawn = [(page, block) for page in all_pages(ROOT) for block in page.blocks if block.kind == "mermaid"]
    tries = [(block.text, theme) for _, block in drawn for theme in THEMES] + [(BROKEN, theme) for theme in THEMES]
    found = faults_of(tries, mermaid)
    if len(found) != len(tries) or not all(found[-len(THEMES) :]):
        sys.exit("Mermaid draws what is no picture: this check would find nothing")
    places = [f"{page.at(block)}: in the theme {theme}" for page, block in drawn for theme in THEMES]
    faults = [f"{place}: {fault.strip()}" for place, fault in zip(places, found) if fault]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{len(drawn)} pictures drawn, light and dark, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
