#!/usr/bin/env python3
"""Drives the page of `rnn classify serve` in a real browser through chromedriver.

  tests/browser/page.py RNN MODEL MULTI_LABEL_MODEL EXAMPLES SCREENSHOTS

Starts the server and Debian's chromium, headless, does what a person would and checks what is seen;
screenshots are left in SCREENSHOTS to be looked at. Standard library only: WebDriver is JSON over
HTTP. Ends with 1 and the name of the first check that fails.
"""
import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

RNN, MODEL, SEVERAL, EXAMPLES, SHOTS = sys.argv[1:6]


class Server:
    def __init__(self, port=0, model=MODEL):
        self.process = subprocess.Popen(
            [RNN, "classify", "serve", "--model", model, "--port", str(port), "--examples", EXAMPLES],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.rstrip("/").rsplit(":", 1)[1])

    def waiting(self):
        """Requests with a worker or waiting for one."""
        with urllib.request.urlopen(self.url + "metrics", timeout=10) as answer:
            text = answer.read().decode()
        return int(re.search(r"^rnn_http_requests_waiting (\d+)", text, re.M).group(1))

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=10)


class Browser:
    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        port = None
        for line in self.driver.stdout:
            if "successfully on port" in line:
                port = line.strip().rstrip(".").rsplit(" ", 1)[1]
                break
        self.base = f"http://127.0.0.1:{port}"
        arguments = ["--headless=new", "--disable-gpu", "--window-size=1000,1100", "--lang=en"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # chromium refuses to run as root otherwise
        options = {"args": arguments, "binary": "/usr/bin/chromium"}
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = "/session/" + answer["sessionId"]

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + path, data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()[:400]) from error

    def go(self, url):
        self.call("POST", self.session + "/url", {"url": url})

    def run(self, script, *arguments):
        return self.call("POST", self.session + "/execute/sync",
                         {"script": script, "args": list(arguments)})

    def find(self, selector):
        found = self.call("POST", self.session + "/element",
                          {"using": "css selector", "value": selector})
        return next(iter(found.values()))

    def type(self, selector, text):
        self.call("POST", f"{self.session}/element/{self.find(selector)}/value", {"text": text})

    def click(self, selector):
        self.call("POST", f"{self.session}/element/{self.find(selector)}/click", {})

    def keys(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", self.session + "/actions",
                  {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def size(self, width, height):
        """Of the page; a window of its own cannot be as narrow as a phone."""
        self.call("POST", self.session + "/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}})

    def shot(self, name):
        png = base64.b64decode(self.call("GET", self.session + "/screenshot"))
        with open(os.path.join(SHOTS, name + ".png"), "wb") as file:
            file.write(png)

    def console(self):
        return self.call("POST", self.session + "/se/log", {"type": "browser"})

    def quit(self):
        try:
            self.call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=10)


def wait(browser, script, what, seconds=15):
    end = time.time() + seconds
    while time.time() < end:
        if browser.run(script):
            return
        time.sleep(0.1)
    raise AssertionError(f"{what}: not seen within {seconds} s")


def check(good, what):
    if not good:
        raise AssertionError(what)
    print("  " + what)


SET = ("const t = document.getElementById('text'); t.value = arguments[0];"
       "t.dispatchEvent(new Event('input'));")
NUMBERS = ("return [...document.querySelectorAll('#bars .number')]"
           ".map(n => parseFloat(n.textContent))")
SHADED = "return document.getElementById('shaded').textContent"
SPOKEN = "return document.getElementById('spoken').textContent"
NAMED = "return [...document.querySelectorAll('#strongest li')].map(i => i.textContent)"


def drive(server, browser):
    browser.go(server.url)
    wait(browser, "return document.querySelectorAll('#bars button').length > 1", "labels")
    wait(browser, NUMBERS.replace("parseFloat(n.textContent))", "parseFloat(n.textContent))"
                                  ".every(n => !isNaN(n))"), "probabilities of the empty text")
    check(browser.run("return document.activeElement.id") == "text", "the text has the focus")
    browser.shot("1-empty")

    seen = set()
    for piece in ("Could you please ", "send up another blanket", " before tonight?"):
        before = browser.run(NUMBERS)
        browser.type("#text", piece)
        wait(browser, f"return JSON.stringify((() => {{ {NUMBERS} }})()) !== "
                      f"'{json.dumps(before, separators=(',', ':'))}'", "a change while typing")
        seen.add(tuple(browser.run(NUMBERS)))
    check(len(seen) == 3, "the probabilities move as one types")
    wait(browser, SHADED + ".includes('tonight')", "the explanation")
    check(browser.run("return document.querySelectorAll('#shaded span').length") > 2,
          "words are shaded")
    named = browser.run(NAMED)
    check(0 < len(named) <= 8 and all(re.fullmatch(r".+: (for|against) .+, \d+\.\d\d", line)
                                      for line in named),
          f"the strongest words are named for who cannot see colours {named[:1]}")
    size = browser.run("const r = document.getElementById('strongest').getBoundingClientRect();"
                       "return [r.width, r.height]")
    check(max(size) <= 1, "and take no room")
    check(re.fullmatch(r".+, \d+ percent", browser.run(SPOKEN)) is not None, "the answer is spoken")
    numbers = browser.run(NUMBERS)
    check(abs(sum(numbers) - 100) < 1, f"probabilities add up to {sum(numbers):.1f} %")
    browser.shot("2-typed")

    about = browser.run("return document.getElementById('about').textContent")
    other = browser.run("return [...document.querySelectorAll('#bars button')]"
                        ".findIndex(b => b.className !== 'top') + 1")
    browser.click(f"#bars li:nth-child({other}) button")
    wait(browser, f"return document.getElementById('about').textContent !== {json.dumps(about)}",
         "another label's explanation")
    browser.shot("3-another-label")
    browser.keys("\ue00c")  # Escape
    wait(browser, f"return document.getElementById('about').textContent === {json.dumps(about)}",
         "Escape")
    check(True, "a label can be asked about, Escape goes back")

    browser.run("document.getElementById('text').focus()")
    browser.keys("\ue004", "\ue00d")  # Tab, Space
    wait(browser, "return document.querySelector('#bars button[aria-pressed=\"true\"]') !== null",
         "choosing a label with the keyboard")
    browser.keys("\ue00c")
    check(True, "the keyboard reaches labels")

    before = browser.run("return document.getElementById('text').value")
    browser.click("#examples button:nth-child(2)")
    wait(browser, f"return document.getElementById('text').value !== {json.dumps(before)}",
         "the example")
    example = browser.run("return document.getElementById('text').value")
    wait(browser, SHADED + f" === {json.dumps(example)}", "the example's explanation")
    check(True, "an example can be clicked")
    browser.shot("4-example")

    # The answer is spoken although the explanation is never given.
    browser.run("window.real = window.fetch; window.fetch = (path, options) =>"
                " path === '/v1/explain' ? new Promise(() => {}) : window.real(path, options)")
    browser.run(SET, "")
    wait(browser, SPOKEN + " === ''", "nothing to say of an empty text")
    browser.run(SET, "The soup was cold.")
    wait(browser, SPOKEN + ".endsWith(' percent')", "the spoken answer without an explanation")
    browser.run("window.fetch = window.real")
    check(True, "the answer is spoken before it is explained")

    evil = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
    browser.run(SET, evil)
    wait(browser, SHADED + f" === {json.dumps(evil)}", "the mark-up as text")
    check(browser.run("return document.title") == "rnn classify"
          and browser.run("return document.querySelectorAll('#shaded script, #shaded img').length")
          == 0, "mark-up stays text")
    browser.shot("5-markup")

    browser.run(SET, "word after word, " * 62000)
    start = time.time()
    wait(browser, "return !document.getElementById('cut').hidden", "1 MB", 30)
    check(True, f"1 MB is answered ({time.time() - start:.1f} s)")
    check(browser.run("return document.getElementById('trouble').hidden"), "without trouble")
    browser.shot("6-megabyte")

    browser.size(390, 800)
    browser.run(SET, "We waited an hour for the soup and it was cold.")
    wait(browser, SHADED + ".includes('soup')", "the narrow page")
    check(browser.run("return window.innerWidth") == 390, "a phone's width")
    check(browser.run("return document.documentElement.scrollWidth <= window.innerWidth"),
          "nothing sticks out on a phone")
    browser.shot("7-phone")
    browser.size(1000, 1100)

    check(browser.run("return performance.getEntriesByType('resource')"
                      ".every(e => e.name.startsWith(location.origin))"), "no outside resource")
    complaints = [entry["message"] for entry in browser.console()
                  if entry["level"] == "SEVERE" and "favicon" not in entry["message"]]
    check(not complaints, f"the console has no complaint {complaints}")

    browser.run(SET, "a request that will not be answered " * 3000)
    wait(browser, SPOKEN + ".includes('percent')", "the prediction, after which it is explained")
    end, busy = time.time() + 15, 0
    while not busy and time.time() < end:
        busy = server.waiting()
        time.sleep(0.005)
    check(busy > 0, "a request is under way")
    check(server.stop() == 0, "the server ends cleanly in the middle of it")
    browser.run(SET, "nobody is there")
    wait(browser, "return !document.getElementById('trouble').hidden", "the trouble")
    check("lost" in browser.run(SPOKEN), "a lost server is spoken of")
    browser.shot("8-server-gone")
    again = Server(server.port)
    try:
        wait(browser, "return document.getElementById('trouble').hidden", "coming back", 20)
        wait(browser, SHADED + ".includes('nobody')", "an answer from the new server")
        wait(browser, SPOKEN + ".endsWith(' percent')", "the spoken answer of the new server")
        check(True, "the page says so, and goes on when the server is back")
    finally:
        again.stop()


def drive_several(browser):
    """A model that gives a text none or several labels."""
    server = Server(model=SEVERAL)
    try:
        browser.go(server.url)
        wait(browser, "return document.querySelectorAll('#bars button').length > 1", "labels")
        tops = "return [...document.querySelectorAll('#bars .top .name')].map(n => n.textContent)"
        counts = set()
        for text in ("The soup was cold, the lamp was broken, nobody came when we rang, and still we "
                     "were asked to pay for the whole week.", "breakfast at eight"):
            browser.run(SET, text)
            wait(browser, SHADED + f" === {json.dumps(text)}", "the explanation")
            with_api = urllib.request.Request(
                server.url + "v1/predict", data=json.dumps({"text": text}).encode(),
                headers={"Content-Type": "application/json"})
            with urllib.request.urlopen(with_api, timeout=10) as answer:
                given = json.load(answer)["labels"]
            check(browser.run(tops) == given, f"'{text}' is marked with {given or 'no label'}")
            spoken = browser.run(SPOKEN)
            check(spoken.count("percent") == len(given) and (given or spoken == "no label"),
                  f"and spoken of as '{spoken}'")
            counts.add(len(given))
        check({0, 2} <= counts, f"texts have none and several: {sorted(counts)}")
        browser.shot("9-several-labels")
    finally:
        server.stop()


def main():
    os.makedirs(SHOTS, exist_ok=True)
    server, browser = Server(), None
    try:
        browser = Browser()
        drive(server, browser)
        drive_several(browser)
    except AssertionError as error:
        browser.shot("failed")
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        if browser:
            browser.quit()
        if server.process.poll() is None:
            server.stop()
    print("the page does what it should; screenshots: " + SHOTS)
    return 0


sys.exit(main())
