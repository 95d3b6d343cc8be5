#!/usr/bin/env python3
"""Draws the key moment of each step for its page, from a recording, with the page's own drawing: step_*/replay.svg.

    pictures.py            draws them anew
    pictures.py --check    says which are not as they would be drawn
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 760

# The number of the step that is drawn, as JavaScript finds it in `steps`, `states` and `recording`.
MOMENTS = {
    "a": "steps.findIndex((one) => one.kind === 'connect' && one.client === 1)",
    "b": "steps.findIndex((one) => one.kind === 'connect' && one.client === 1)",
    "c": "steps.findLastIndex((one) => one.kind === 'blocks' && /sleep/.test(one.name))",
    "d": "steps.findIndex((one) => one.kind === 'exit')",
    "e": "steps.findIndex((one) => one.kind === 'handler returns')",
    "f": "steps.findLastIndex((one) => one.kind === 'exit')",
    "g": "steps.findLastIndex((one) => one.name === 'waitpid' && one.result > 0)",
    "h": "steps.findIndex((one) => one.name === 'accept' && one.result > 0)",
}
STYLE = """<style>svg{font:13px system-ui,sans-serif;background:#fbfaf7}text{fill:var(--text)}.q{fill:var(--quiet)}
.m{font:12px ui-monospace,monospace}.b{font-weight:600}.a{fill:var(--key);font-weight:600}.said{font-size:15px}
svg{--text:#1b2430;--quiet:#5d6673;--key:#b54a00;--p0:#0067a8;--p1:#00805c;--p2:#a8437f;--p3:#b54a00;--p4:#5b4fb8;
--p5:#7a6200;--zombie:#6b7280}
@media (prefers-color-scheme:dark){svg{background:#14181f;--text:#e8ebf0;--quiet:#a3acb9;--key:#ff9d52;--p0:#64b5f0;
--p1:#3fc79a;--p2:#e48cc0;--p3:#ff9d52;--p4:#a99df5;--p5:#d8bb3c;--zombie:#9aa3b0}}</style>"""
DRAW = """
const {recording} = replay.views[0];
const {steps, states} = recording;
recording.processes.forEach((one, i) => {
  for (const step of steps) if (step.result === one.pid) step.result = 4711 + i;
  one.pid = 4711 + i;
});
for (const socket of recording.pool.flatMap((one) => Object.values(one))) {
  if (socket && socket.kind === 'listening') socket.port = 8888;
}
const i = MOMENT;
return [replay.drawKernel(recording, i, WIDTH), replay.sentence(recording, i)];
"""


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def lines_of(sentence, most=100):
    lines = [""]
    for word in sentence.split():
        if len(lines[-1]) + len(word) > most:
            lines.append("")
        lines[-1] += ("" if lines[-1] == "" else " ") + word
    return lines


def picture(browser, step):
    with tempfile.TemporaryDirectory() as folder:
        page = f"{folder}/page.html"
        application = ["step_h_wsgi.hello:application"] if step == "h" else []
        subprocess.run(["./replay", "-o", page, f"./step_{step}", *application], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        browser.get(f"file://{page}#step=1&lang=en")
        script = DRAW.replace("MOMENT", MOMENTS[step]).replace("WIDTH", str(WIDTH))
        svg, sentence = browser.execute_script(script)
    height = int(re.search(r'height="(\d+)"', svg).group(1))
    body = svg[svg.index(">") + 1 : svg.rindex("</svg>")]
    lines = lines_of(sentence)
    top = 20 * len(lines) + 12
    said = "".join(
        f'<text class="said" x="4" y="{20 * (i + 1)}">{escaped(line)}</text>' for i, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + top}" width="{WIDTH}" role="img">'
        f"<title>{escaped(sentence)}</title>{STYLE}{said}<g transform=\"translate(0 {top})\">{body}</g></svg>\n"
    )


def main():
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    status = 0
    try:
        for step in MOMENTS:
            file = next(ROOT.glob(f"step_{step}_*")) / "replay.svg"
            drawn = picture(browser, step)
            if sys.argv[1:] != ["--check"]:
                file.write_text(drawn)
            elif not file.exists() or file.read_text() != drawn:
                print(f"{file.relative_to(ROOT)} is not as it would be drawn now: run tools/replay/pictures.py")
                status = 1
    finally:
        browser.quit()
    return status


if __name__ == "__main__":
    sys.exit(main())
