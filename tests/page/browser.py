"""Drives a real Chromium, the distribution's, through its driver. It downloads nothing, uses only loopback, and keeps
no data."""

import base64
import json
import os
import shutil
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from pace import eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")

DESKTOP = (1440, 900)
PHONE = (390, 844)


def _options():
    options = Options()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
                     "--disable-background-networking", "--disable-component-update", "--no-first-run",
                     # Chromium can resolve only the bank's address, as without a network.
                     "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has none for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return options


class Browser:
    """One browser window that shows the page of one bank."""

    def __init__(self, size=DESKTOP, scheme="light", calm=False):
        self.driver = webdriver.Chrome(options=_options(), service=Service(DRIVER))
        self.expected_errors = ()  # parts of console messages that a test provokes
        self._console = []
        self._network = []
        width, height = size
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                     mobile=width < 600)
        self.command("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"}])

    def command(self, name, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def close(self):
        self.driver.quit()

    # Navigation

    def open(self, bank, path="/"):
        self.driver.get(f"http://127.0.0.1:{bank.port}{path}")
        return self

    def until_live(self):
        self.until("#connection-text", "Live")
        eventually(lambda: self.all("#balances .amount"), "the balances are shown")
        return self

    # Reading the page

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def text(self, selector):
        """The text of the first such element, visible or not; "" without one."""
        return self.script("return document.querySelector(arguments[0])?.textContent.trim() ?? ''", selector)

    def texts(self, selector):
        return self.script("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent.trim())", selector)

    def shown(self, selector):
        try:
            return any(element.is_displayed() for element in self.all(selector))
        except StaleElementReferenceException:
            return False

    def until(self, selector, text):
        return eventually(lambda: text in self.text(selector), f"{selector} says {text!r}, not {self.text(selector)!r}")

    def balance(self, account):
        return self.text(f'[data-account="{account}"] .amount')

    def until_balance(self, account, text):
        eventually(lambda: self.balance(account) == text, f"{account} shows {text}")

    # Actions

    def click(self, selector):
        eventually(lambda: not self.is_off(selector), f"{selector} can be pressed")
        self._press(self.one(selector))

    def _press(self, element):
        """The driver takes an element under the strip of the balances for one in sight. A person scrolls."""
        self.script("arguments[0].scrollIntoView({ block: 'nearest' })", element)
        element.click()

    def is_off(self, selector):
        """Whether a button is off: disabled, or aria-disabled, which keeps the focus."""
        button = self.one(selector)
        return not button.is_enabled() or button.get_attribute("aria-disabled") == "true"

    def choose(self, selector, value):
        Select(self.one(selector)).select_by_value(value)

    def enter(self, selector, text):
        """Replaces the content of the field by a number, and leaves the field."""
        self.script("arguments[0].select()", self.one(selector))
        self.one(selector).send_keys(str(text) + "\n")

    def keys(self, *keys):
        actions = ActionChains(self.driver)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def focused(self):
        return self.script("return document.activeElement?.id ?? ''")

    def switch(self, name, on):
        if self.one(f"#{name}").is_selected() != on:
            self._press(self.one(f"#{name}"))

    def set_barrier(self, bank, count):
        self.switch("barrier", True)
        self.enter("#barrier-count", count)
        eventually(lambda: (now := bank.settings())["barrier_enabled"] and now["barrier_count"] == count, "barrier")

    def set_delay(self, bank, ms):
        self.switch("delay", True)
        self.enter("#delay-ms", ms)
        eventually(lambda: (now := bank.settings())["delay_enabled"] and now["delay_ms"] == ms, "delay")

    def race(self):
        """Presses the button and waits until the picture has the server's verdict."""
        self._race("#race", "race")

    def race_under_the_fix(self):
        self._race("#race-fix", "fix")

    def _race(self, button, slot):
        before = self.address_of(slot)
        self.click(button)
        eventually(lambda: self.address_of(slot) != before, "another race is shown")
        self.until_finished(slot)

    def address_of(self, slot):
        """The link to the race that is shown, or None."""
        return self.script("return document.querySelector(arguments[0])?.href ?? null", f"#panel-{slot} .links a")

    def until_finished(self, slot):
        eventually(lambda: not self.is_off("#race"), "the buttons are free again")
        eventually(lambda: self.all(f"#panel-{slot}.judged svg .mark.commit") and self.address_of(slot),
                   f"the {slot} is drawn to its end")

    def answers(self, path):
        """The number of answers that the page has received since it was loaded, to requests whose path begins with
        `path`."""
        return self.script("""return performance.getEntriesByType("resource").filter((entry) => entry.responseEnd > 0 &&
            new URL(entry.name).pathname.startsWith(arguments[0])).length""", path)

    def until_taken(self, hold, path):
        """Releases a held answer, and waits until the page has it."""
        before = self.answers(path)
        hold.release()
        eventually(lambda: self.answers(path) > before, f"the page has the answer of {path}")
        self.driver.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0]))")

    # The logs of the browser

    def console_errors(self):
        self._console += self.driver.get_log("browser")
        return [entry["message"] for entry in self._console if entry["level"] in ("SEVERE", "WARNING")
                and not any(expected in entry["message"] for expected in self.expected_errors)]

    def network(self):
        """The events of DevTools' Network tab since the start, as {"method", "params"}."""
        self._network += [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event for event in self._network if event["method"].startswith("Network.")]

    def requested(self):
        return [event["params"]["request"]["url"] for event in self.network()
                if event["method"] == "Network.requestWillBeSent"]

    def transferred(self, part=""):
        """The bytes on the wire, headers included, of every response whose address contains `part`."""
        events = self.network()
        wanted = {event["params"]["requestId"] for event in events if event["method"] == "Network.requestWillBeSent"
                  and part in event["params"]["request"]["url"]}
        return sum(event["params"]["encodedDataLength"] for event in events
                   if event["method"] == "Network.loadingFinished" and event["params"]["requestId"] in wanted)

    def picture(self, height=None):
        """A PNG of the page: the part that fits the window, or `height` pixels of the page."""
        time.sleep(0.3)  # transitions
        beyond = {} if height is None else {"captureBeyondViewport": True, "clip": {
            "x": 0, "y": 0, "width": self.script("return document.documentElement.clientWidth"), "height": height, "scale": 1}}
        shot = self.command("Page.captureScreenshot", format="png", **beyond)
        return base64.b64decode(shot["data"])
