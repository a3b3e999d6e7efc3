"""The report, as text and as a browser draws it."""

import shutil
import subprocess
from html.parser import HTMLParser

import pytest

pytestmark = pytest.mark.tensorflow


class Page(HTMLParser):
    """Counts the elements, and notes what would be loaded from elsewhere."""

    def __init__(self):
        super().__init__()
        self.counts, self.loads, self.open = {}, [], []

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "line", "rect", "circle", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag):
        if tag not in ("meta", "line", "rect", "circle", "polyline"):
            assert self.open.pop() == tag


def test_the_report_is_one_page_with_everything_on_it(mmconvert, converted, saved_models, tmp_path, digits):
    document = converted(mmconvert(saved_models / "digits", *digits, "--report", "report.html"))
    text = (tmp_path / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == [] and page.loads == [] and "http" not in text
    assert page.counts["svg"] == 6 and page.counts["circle"] > 7 and page.counts["tr"] > 8
    for part in (document["verdict"], document["sha256"], "static_int8", "digits_eval.npz", "ranges"):
        assert part in text


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium: apt-get install chromium")
def test_a_browser_draws_the_report(mmconvert, saved_models, tmp_path, digits):
    mmconvert(saved_models / "digits", *digits, "--report", "report.html")
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile")
    page = (tmp_path / "report.html").as_uri()
    done = subprocess.run(["chromium", *options, "--dump-dom", page], capture_output=True, text=True, timeout=100)
    assert done.stdout.count("<svg") == 6 and "static_int8" in done.stdout
    picture = tmp_path / "report.png"
    subprocess.run(
        ["chromium", *options, f"--screenshot={picture}", "--window-size=900,2400", page],
        capture_output=True,
        timeout=100,
        check=True,
    )
    from PIL import Image

    with Image.open(picture) as image:
        assert len(image.convert("RGB").getcolors(1 << 24)) > 20
