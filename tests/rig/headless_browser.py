"""A headless Chromium, spoken to in the DevTools protocol over a pipe: JSON messages that end with a zero byte."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
)
DEADLINE_S = 60
# The protocol's pipes are descriptors 3 and 4.
LAUNCH = """
import os, sys
for number, taken in ((3, sys.argv[1]), (4, sys.argv[2])):
    os.dup2(int(taken), number)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def find_chromium():
    """Return the command of MM_CHROMIUM, or of a Chromium on the PATH, or None."""
    return os.environ.get("MM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one page.

    Attributes:
        events: What the page's events were since the last ``open``, as (method, parameters).
    """

    def __init__(self, command, profile):
        commands, self._writer = os.pipe()
        self._reader, answers = os.pipe()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (commands, answers)]
        options = (*FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe")
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *map(str, high), command, *options, "about:blank"],
            pass_fds=high,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (commands, answers, *high):
            os.close(end)
        self._session, self._number, self._pending = None, 0, b""
        self.events = []
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def _attach(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._writer)
        os.close(self._reader)

    def call(self, method, **parameters):
        """Do one command and return its result; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _receive(self):
        end = time.monotonic() + DEADLINE_S
        while b"\0" not in self._pending:
            left = end - time.monotonic()
            assert left > 0 and select.select([self._reader], [], [], left)[0], "the browser does not answer"
            part = os.read(self._reader, 1 << 20)
            assert part, "the browser ended"
            self._pending += part
        line, self._pending = self._pending.split(b"\0", 1)
        message = json.loads(line)
        if "method" in message:
            self.events.append((message["method"], message["params"]))
        return message

    def open(self, url, width, scheme, media="screen"):
        """Show a page in a window of this width, or on ``print``, for a reader who likes it ``light`` or ``dark``."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call(
            "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(method == "Page.loadEventFired" for method, _ in self.events):
            self._receive()

    def evaluate(self, script):
        """Return the value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, x, y, width, height):
        """Return this part of the page as a PNG."""
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        answer = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    def problems(self):
        """Return what the page complained about on its console or in its log."""
        found = [event for event in self.events if event[0] == "Runtime.exceptionThrown"]
        found += [event for event in self.events if event[0] == "Log.entryAdded"]
        return found + [event for event in self.events if event[0] == "Runtime.consoleAPICalled"]

    def requests(self):
        """Return the addresses that the page asked for."""
        return [event["request"]["url"] for method, event in self.events if method == "Network.requestWillBeSent"]
