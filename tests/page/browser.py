"""Drives a real Chromium, the distribution's, through its driver. It downloads nothing, uses only loopback, and keeps
no data."""

import base64
import json
import os
import shutil
import time

from selenium import webdriver
from selenium.common.exceptions import (ElementClickInterceptedException, ElementNotInteractableException,
                                        JavascriptException)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from waiting import HANG_GUARD, SLOWDOWN, eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")

DESKTOP = (1440, 900)
PHONE = (390, 844)


def _options():
    options = Options()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--no-first-run",
                     # No work besides the page: no downloads, no extensions, no pages of Chromium's own in reserve.
                     "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
                     "--disable-extensions", "--disable-sync", "--renderer-process-limit=1",
                     "--disable-features=PreloadTopChromeWebUI,SpareRendererForSitePerProcess,Translate,MediaRouter",
                     # Chromium can resolve only the bank's address, as without a network.
                     "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has none for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
    return options


# Returns whether the element stands still and a click at its middle would hit it.
CAN_BE_HIT = """
    const [element, done] = arguments;
    const place = () => { const box = element.getClientRects()[0]; return box && [box.left, box.top, box.width, box.height].join(); };
    element.scrollIntoView({ block: "nearest" });
    const before = place();
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const box = element.getClientRects()[0];
      const hit = box && document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
      const isOurs = Boolean(hit) && element.contains(hit);
      if (box && !isOurs) {
        element.scrollIntoView({ block: "center" }); // it stood under the strip of the balances
      }
      done(isOurs && place() === before);
    }));"""

# Ends when the page had the same size in four frames.
STEADY = """
    const [done] = arguments;
    const root = document.documentElement;
    let before = "";
    let same = 0;
    const look = () => {
      const now = [innerWidth, root.scrollWidth, root.scrollHeight].join();
      same = now === before ? same + 1 : 0;
      before = now;
      same >= 3 ? done() : requestAnimationFrame(() => setTimeout(look, 15));
    };
    document.fonts.ready.then(look);"""

# Remembers whether a click has reached the element.
LISTEN = """
    const [element] = arguments;
    window.wasHit = false;
    addEventListener("click", (event) => { window.wasHit ||= event.composedPath().includes(element); }, { capture: true, once: true });"""

IS_OFF = """
    const button = document.querySelector(arguments[0]);
    return button.disabled === true || button.ariaDisabled === "true";"""

IS_SHOWN = """
    const hasArea = (box) => box.width > 0 && box.height > 0;
    return [...document.querySelectorAll(arguments[0])].some((element) => {
      const inside = document.createRange();
      inside.selectNodeContents(element);
      return element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
        [element.getBoundingClientRect(), ...inside.getClientRects()].some(hasArea);
    });"""


class Browser:
    """One browser that shows the page of one bank. Tests share it: each has a tab of its own."""

    def __init__(self):
        self.driver = webdriver.Chrome(options=_options(), service=Service(DRIVER))
        self.driver.set_script_timeout(HANG_GUARD * 2)  # axe takes longer than the driver's 30 s on a busy machine
        self.expected_errors = ()  # parts of console messages that a test provokes
        self._console = []
        self._network = []
        self._is_used = False

    def begin(self, size=DESKTOP, scheme="light", calm=False):
        """An empty tab in the state of a new browser. `calm`: the person wants no motion."""
        if self._is_used:
            before = self.driver.current_window_handle
            self.driver.switch_to.new_window("tab")
            now = self.driver.current_window_handle
            self.driver.switch_to.window(before)
            self.driver.close()
            self.driver.switch_to.window(now)
            for log in ("browser", "performance"):
                self.driver.get_log(log)
        self._is_used = True
        self.expected_errors, self._console, self._network = (), [], []
        self._calm = calm
        self.look(size, scheme)
        if SLOWDOWN > 1:
            self.command("Emulation.setCPUThrottlingRate", rate=SLOWDOWN)
        return self

    def look(self, size, scheme):
        """Gives the window another size and colour scheme."""
        width, height = size
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                     mobile=width < 600)
        self.command("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce" if self._calm else "no-preference"}])

    def until_steady(self):
        """Waits until the fonts are there and the page has drawn itself for its size."""
        self.driver.execute_async_script(STEADY)

    def until_it_fits(self):
        """Waits until the page has drawn itself for its size and nothing makes it scroll sideways."""
        self.until_steady()
        sizes = "const { scrollWidth, clientWidth } = document.documentElement; return [scrollWidth, clientWidth]"
        eventually(lambda: (now := self.script(sizes))[0] <= now[1], lambda: f"it fits: {self.script(sizes)}")

    def end(self):
        """Forgets what the page has kept, so that the next test finds a new browser."""
        self.script("try { localStorage.clear(); } catch { /* about:blank has none */ }")
        self.driver.get("about:blank")  # the page closes its stream
        self.command("Network.clearBrowserCache")

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
        eventually(lambda: self.count("#balances .amount") and self.count("#strategy option"),
                   "the balances and the strategies are shown")
        return self

    # Reading the page

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def count(self, selector):
        return self.script("return document.querySelectorAll(arguments[0]).length", selector)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def text(self, selector):
        """The text of the first such element, visible or not; "" without one."""
        return self.script("return document.querySelector(arguments[0])?.textContent.trim() ?? ''", selector)

    def texts(self, selector):
        return self.script("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent.trim())", selector)

    def shown(self, selector):
        return self.script(IS_SHOWN, selector)

    def until(self, selector, text):
        return eventually(lambda: text in self.text(selector), lambda: f"{selector} says {text!r}, not {self.text(selector)!r}")

    def balance(self, account):
        return self.text(f'[data-account="{account}"] .amount')

    def until_balance(self, account, text):
        eventually(lambda: self.balance(account) == text, f"{account} shows {text}")

    # Actions

    def click(self, selector):
        eventually(lambda: not self.is_off(selector), f"{selector} can be pressed")
        self.press(lambda: self.one(selector), selector)

    def press(self, find, what):
        """Clicks the element that `find` returns. While the page draws, an element may move between the moment when the
        driver looks for it and the click, and the click is lost: then the next one follows."""
        eventually(lambda: self._hit(find()), f"a click has reached {what}")

    def _hit(self, element):
        if not self.driver.execute_async_script(CAN_BE_HIT, element):
            return False
        self.script(LISTEN, element)
        try:
            element.click()
        except (ElementClickInterceptedException, ElementNotInteractableException):
            return False
        self.until_next_frame()
        return self.script("return window.wasHit ?? true")  # undefined: the click has opened another page

    def is_off(self, selector):
        """Whether a button is off: disabled, or aria-disabled, which keeps the focus."""
        return self.script(IS_OFF, selector)

    def choose(self, selector, value):
        option = f"{selector} option[value='{value}']"
        eventually(lambda: self.count(option), f"{selector} has {value}")
        eventually(lambda: Select(self.one(selector)).select_by_value(value) or True, f"{value} is chosen")

    def enter(self, selector, text):
        """Replaces the content of the field by a number, and leaves the field. The page does not change the field that
        has the focus."""
        self.script("arguments[0].focus(); arguments[0].select()", self.one(selector))
        self.one(selector).send_keys(str(text) + "\n")

    def focus(self, selector):
        self.script("document.querySelector(arguments[0]).focus()", selector)

    def keys(self, *keys):
        actions = ActionChains(self.driver)
        for key in keys:
            actions.send_keys(key)
        actions.perform()
        self.until_next_frame()

    def until_next_frame(self):
        """Waits until the page has drawn what it draws at once after a key, a click or an answer."""
        try:
            self.driver.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0]))")
        except JavascriptException:
            pass  # the key has opened another page

    def focused(self):
        return self.script("return document.activeElement?.id ?? ''")

    def switch(self, name, on):
        if self.one(f"#{name}").is_selected() != on:
            self.press(lambda: self.one(f"#{name}"), name)

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
        eventually(lambda: self.count(f"#panel-{slot}.judged svg .mark.commit") and self.address_of(slot),
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
        self.until_next_frame()

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
