#!/usr/bin/env python3
"""Tests replay's recordings and its page, in chromium.

    replay.py [FOLDER]     keeps a picture of each kind of view in FOLDER, when one is named

Ten recordings of a step are the same, except for pids and ports. The page steps to the end and back to the same
picture: by keys, buttons, slider and links, in both languages, at every width. It requests nothing from a network.
"""

import difflib
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

import steps

ROOT = Path(__file__).resolve().parents[1]
STEPS = "abcdefgh"
PICTURES = Path(sys.argv.pop(1)) if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir() else None


def record(*arguments):
    done = subprocess.run(["./replay", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_numbers(recording):
    """The recording as lines, with a name in place of the time and of each pid and port that the kernel has chosen.

    A pid may have three digits or seven, so the size of the output is replaced by its text."""
    names = {one["pid"]: f"pid {one['number']}" for one in recording["processes"]}
    names |= {one["port"]: f"client port {i}" for i, one in enumerate(recording["clients"])}
    names |= {int(port): "port" for port in re.findall(r"Serving HTTP on port (\d+)", recording["output"])}
    output = recording["output"].encode()
    for step in recording["steps"]:
        step["seen"]["output"] = output[: step["seen"]["output"]].decode()
        if step.get("name") == "write":
            step["call"] = re.sub(r", \d+\)$", ")", step["call"])
            step["result"] = "all" if step["result"] > 0 else step["result"]
    lines = json.dumps(recording | {"sources": [one["name"] for one in recording["sources"]]}, indent=0)
    lines = re.sub(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d", "now", lines)  # the log of step_h
    # After a comma, the number is a size or a line (1024, for example), never a pid.
    return re.sub(r"(?<!, )\b\d{3,}\b", lambda number: names.get(int(number.group()), number.group()), lines)


class Recordings(unittest.TestCase):
    def test_ten_recordings_are_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            for step in STEPS:
                first = None
                for _ in range(10):
                    record("--json", "-o", f"{folder}/one.json", *steps.command_of(step))
                    again = without_numbers(json.loads(Path(folder, "one.json").read_text())).split("\n")
                    first = first or again
                    differences = list(difflib.unified_diff(first, again, "first", "again", lineterm=""))
                    self.assertFalse(differences, f"step_{step}:\n" + "\n".join(differences))

    def test_reference_counts_are_the_descriptors_shown(self):
        with tempfile.TemporaryDirectory() as folder:
            for step in STEPS:
                record("--json", "-o", f"{folder}/one.json", *steps.command_of(step))
                recording = json.loads(Path(folder, "one.json").read_text())
                pool = recording["pool"]
                for number, one in enumerate(recording["steps"]):
                    counts = {}
                    for index in one["seen"]["processes"]:
                        for descriptor in pool[index].get("descriptors", []):
                            if "socket" in descriptor:
                                counts[descriptor["socket"]] = counts.get(descriptor["socket"], 0) + 1
                    expected = {name: s["references"] for name, s in pool[one["seen"]["sockets"]].items()}
                    self.assertEqual(counts, expected, f"step_{step}, step {number + 1}")


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        for step in STEPS:
            record("-o", cls.path(step), *steps.command_of(step))
        record("-o", cls.path("fg"), "--beside", "./step_g", "./step_f")
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        cls.browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        cls.resize(1440, 900)

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return f"{cls.folder.name}/{name}.html"

    @classmethod
    def resize(cls, width, height, dark=False):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        cls.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        cls.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, name, where=""):
        self.browser.get("about:blank")
        self.browser.get(f"file://{self.path(name)}{where}")

    def of(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def press(self, key):
        self.of("body").send_keys(key)

    def state(self):
        """All that is drawn."""
        return self.of("#views").get_attribute("innerHTML")

    def count(self):
        return int(self.of("#slider").get_attribute("max"))

    def step(self):
        return int(self.of("#slider").get_attribute("value"))

    def test_forward_to_the_end_and_back_shows_the_same(self):
        for name in [*STEPS, "fg"]:
            with self.subTest(name):
                self.open(name, "#step=1&lang=en")
                self.assertLess(Path(self.path(name)).stat().st_size, 400_000)
                seen, said = [], set()
                for _ in range(self.count()):
                    seen.append(self.of(".drawing").get_attribute("innerHTML"))
                    said.add(self.of(".said p").text)
                    self.press(Keys.ARROW_RIGHT)
                self.assertEqual(self.step(), self.count())
                self.assertNotIn("undefined", " ".join(said))
                for drawing in reversed(seen):
                    self.assertEqual(self.of(".drawing").get_attribute("innerHTML"), drawing)
                    self.press(Keys.ARROW_LEFT)
                self.assertEqual(self.step(), 1)

    def test_keys_buttons_slider_and_links_lead_to_the_same_place(self):
        self.open("f", "#step=17&lang=en")
        self.assertEqual(self.step(), 17)
        drawn = self.state()
        self.press(Keys.HOME)
        self.assertEqual(self.step(), 1)
        for _ in range(16):
            self.of("#forward").click()
        self.assertEqual(self.state(), drawn)
        self.of("#last").click()
        self.assertEqual(self.step(), self.count())
        self.of("#first").click()
        self.of("#slider").send_keys(Keys.ARROW_RIGHT * 16)
        self.assertEqual(self.state(), drawn)
        self.assertIn("#step=17", self.browser.current_url)
        self.press("n")
        self.assertIn("key", self.of(".said").get_attribute("class"))

    def test_play_goes_on_by_itself(self):
        self.open("e", "#step=27&lang=en")
        self.press("p")
        self.assertEqual(self.of("#play").get_attribute("aria-pressed"), "true")
        wait = WebDriverWait(self.browser, 30)
        wait.until(lambda _: self.step() == 28)

    def test_it_asks_first_by_keyboard_alone(self):
        self.open("f", "#step=41&lang=en")
        self.of("#ask").send_keys(" ")
        self.press(Keys.ARROW_RIGHT)
        self.assertEqual(self.step(), 41)
        self.assertIn("How many will be pending?", self.of("#asked").text)
        self.browser.switch_to.active_element.send_keys(Keys.ENTER)
        self.assertIn("One: signals do not queue.", self.of("#answers").text)
        self.assertNotEqual(self.of("#verdict").text, "")
        self.browser.switch_to.active_element.send_keys(Keys.ENTER)
        self.assertEqual(self.step(), 42)

    def test_both_languages_say_every_step(self):
        for name in STEPS:
            self.open(name, "#step=1&lang=zh")
            for _ in range(self.count()):
                said = self.of(".said p").text
                self.assertRegex(said, "[\u4e00-\u9fff]", f"step_{name}, step {self.step()}")
                self.press(Keys.ARROW_RIGHT)
        self.of("#language").click()
        self.assertNotRegex(self.of(".said p").text, "[\u4e00-\u9fff]")
        self.assertEqual(self.of("html").get_attribute("lang"), "en")

    def test_nothing_is_wider_than_the_window(self):
        for width, dark in ((360, False), (760, True), (1600, False)):
            self.resize(width, 900, dark)
            for name, step in (("d", 24), ("f", 47), ("fg", 49)):
                self.open(name, f"#step={step}&lang=en")
                wide = self.browser.execute_script("return document.documentElement.scrollWidth")
                self.assertLessEqual(wide, width, name)
                if PICTURES:
                    self.browser.save_screenshot(str(PICTURES / f"{name}{step}_{width}.png"))
        self.resize(1440, 900)

    def test_a_reader_of_the_screen_is_told(self):
        self.open("f", "#step=47&lang=en")
        self.assertEqual(self.of(".said").get_attribute("aria-live"), "polite")
        text = self.of(".sr").get_attribute("textContent")
        self.assertIn("the parent: can run, SIGCHLD pending: 1", text)
        self.assertIn("child 3: zombie, exited with 0", text)

    def tearDown(self):
        for entry in self.browser.get_log("browser"):
            self.assertNotEqual(entry["level"], "SEVERE", entry["message"])
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                self.assertTrue(url.startswith(("file:///", "data:", "about:")), url)


if __name__ == "__main__":
    unittest.main(verbosity=2)
