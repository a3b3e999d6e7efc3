from html.parser import HTMLParser

import pytest

pytestmark = pytest.mark.tensorflow
VOID = ("meta", "wbr", "line", "rect", "circle", "polyline")


class Page(HTMLParser):
    """Counts the elements, and notes what would be loaded from elsewhere."""

    def __init__(self):
        super().__init__()
        self.counts, self.loads, self.open = {}, [], []

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_report_is_one_page_with_everything_on_it(mmconvert, converted, saved_models, tmp_path, digits):
    document = converted(mmconvert(saved_models / "digits", *digits, "--report", "report.html"))
    text = (tmp_path / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == [] and page.loads == [] and "http" not in text
    assert page.counts["svg"] == 2 * 6 and page.counts["circle"] > 2 * 7 and page.counts["tr"] > 8
    for part in (document["verdict"], document["sha256"], "static_int8", "digits_eval.npz", "ranges"):
        assert part in text
