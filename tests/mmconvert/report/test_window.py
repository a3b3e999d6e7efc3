import copy
import io
from pathlib import Path

import pytest
from PIL import Image

from mmconvert.conversion import Conversion
from mmconvert.job import Job
from mmconvert.outcome import Outcome, tell
from mmconvert.report.page import render
from mmconvert.verdict import FULL_TF
from mmwire.errors import ConvertError
from rig.headless_browser import Browser, find_chromium

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(not find_chromium(), reason="no Chromium: apt-get install chromium, or name one in MM_CHROMIUM"),
]
LAYOUT = (Path(__file__).parents[2] / "rig/page_layout.js").read_text()
WINDOWS = [  # on both sides of the width at which the tables become cards
    *((1280, "light"), (1280, "dark"), (861, "light")),
    *((860, "light"), (390, "light"), (390, "dark"), (320, "light")),
]
A4 = 718  # pixels between margins of a centimetre
SECTIONS = [
    *("Candidates", "Times", "Sensitivity", "Rows whose class changed", "Enough calibration rows?"),
    *("Ranges of the tensors", "Operations", "Repairs", "Evidence", "How to make it again"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(find_chromium(), tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def searched(mmconvert, converted, saved_models, digits):
    """The document of a real search, with what a search does not always find."""
    document = converted(mmconvert(saved_models / "digits", *digits))
    document["search"]["flips"] = [{"row": 7, "from": 3, "to": 8, "margin": 0.0211, "right": 3}]
    document["repairs"] = ["removed 76 optimizer slots, which TensorFlow cannot load (add_slot)"]
    return document


def worst(document):
    """Return the document with names, numbers and amounts that test the page's patience."""
    found = copy.deepcopy(document)
    search = found["search"]
    found["name"] = "a-model-with-a-name-of-sixty-four-letters-which-is-the-most-0123"
    found["output"] = "/" + "a-long-folder/" * 12 + "model.tflite"
    layer = (
        "functional/"
        + "/".join(f"stage_{number}_bottleneck_with_squeeze_and_excite" for number in range(5))
        + "/Conv2D"
    )
    first = search["candidates"][1]
    search["candidates"][2]["sqnr_db"] = -35.0
    search["candidates"] += [
        first
        | {"name": f"static_int8_{count}_float_one_row", "refusal": "drop 12.34 %, with 95 % confidence up to 20 %"}
        for count in range(1, 13)
    ]
    search["sensitivity"] = [
        {"op": "DEPTHWISE_CONV_2D", "output": layer, "sqnr_db": 1.0, "gain_db": round(9.5 - number, 2)}
        for number in range(20)
    ]
    search["ranges"] = {f"{layer};{layer}{number}": [-(10.0**number), 0.1**number] for number in range(-6, 30)}
    found["operations"] = [{"op": "RESIZE_NEAREST_NEIGHBOR", "output": layer, "dtype": "FLOAT32"}] * 150
    search["flips"] = [{"row": 255, "from": 99_999, "to": 10_000, "margin": 0.9999, "right": 99_999}] * 12
    return found


def show(browser, document, tmp_path, width, scheme, media="screen"):
    page = tmp_path / "report.html"
    page.write_text(
        render(document, "mmconvert saved_model --calibration images --publish models --report report.html")
    )
    browser.open(page.as_uri(), width, scheme, media)
    assert browser.problems() == []
    assert browser.requests() == [page.as_uri()]


def require_pictures(browser, count):
    """Check that each picture that shows is one: several colours, and marks on a good part of it."""
    boxes = browser.evaluate(
        "[...document.querySelectorAll('svg')].map(node => node.getBoundingClientRect())"
        ".filter(at => at.width).map(at => [at.left, at.top + scrollY, at.width, at.height])"
    )
    assert len(boxes) == count
    for box in boxes:
        with Image.open(io.BytesIO(browser.screenshot(*box))) as image:
            colours = sorted(image.convert("RGB").getcolors(1 << 24), reverse=True)
        assert len(colours) > 20, box
        assert sum(amount for amount, _ in colours[1:]) > 0.01 * box[2] * box[3], box


def require_a_label_for_every_dot(browser):
    first = "[...document.querySelectorAll('svg')].find(node => node.getBoundingClientRect().width)"
    dots = browser.evaluate(f"{first}.querySelectorAll('circle').length")
    assert browser.evaluate(f"{first}.querySelectorAll('text[class=\"\"]').length") == dots > 6


def test_a_search_reads_well_in_every_window(browser, searched, tmp_path):
    for width, scheme in WINDOWS:
        show(browser, searched, tmp_path, width, scheme)
        headings = browser.evaluate("[...document.querySelectorAll('h2')].map(node => node.innerText)")
        assert headings == SECTIONS
        assert browser.evaluate(LAYOUT) == [], (width, scheme)
        require_pictures(browser, 6)
        require_a_label_for_every_dot(browser)


def test_dark_is_dark_and_light_is_light(browser, searched, tmp_path):
    for scheme, is_light in (("light", True), ("dark", False)):
        show(browser, searched, tmp_path, 390, scheme)
        with Image.open(io.BytesIO(browser.screenshot(0, 0, 10, 10))) as image:
            assert (image.convert("L").getpixel((5, 5)) > 128) is is_light


def test_on_paper_it_is_wide_and_light(browser, searched, tmp_path):
    show(browser, searched, tmp_path, A4, "dark", "print")
    assert browser.evaluate(LAYOUT) == []
    assert browser.evaluate("getComputedStyle(document.querySelector('.candidates thead')).display") != "none"
    with Image.open(io.BytesIO(browser.screenshot(0, 0, 10, 10))) as image:
        assert image.convert("L").getpixel((5, 5)) > 240


def test_long_names_and_many_rows_stay_inside(browser, searched, tmp_path):
    for width, scheme in WINDOWS:
        show(browser, worst(searched), tmp_path, width, scheme)
        assert browser.evaluate(LAYOUT) == [], (width, scheme)


@pytest.mark.parametrize("verdict", ["REJECT", "FULL_TF"])
def test_a_conversion_without_a_search_has_a_page_too(browser, tmp_path, verdict):
    error = ConvertError(
        "SAVED_MODEL_INVALID", "model is not a SavedModel", "give the folder that holds saved_model.pb"
    )
    job = Job(Path("model"), "model")
    evidence = ("signature 'serving_default' is converted",)
    outcome = tell(Conversion(job=job, evidence=evidence, refusal=error), 1.0)
    if verdict == FULL_TF:
        reason = "LiteRT cannot run it as TensorFlow does: the operation Svd has no TFLite form"
        outcome = Outcome(
            FULL_TF, reason, ["35 random rows"], "models/low_rank", None, "low_rank", "0" * 64, 12723, 11204
        )
    for width, scheme in WINDOWS:
        show(browser, outcome.as_dict(), tmp_path, width, scheme)
        assert browser.evaluate(LAYOUT) == [], (width, scheme)
    text = browser.evaluate("document.body.innerText")
    assert outcome.reason in text and (verdict == FULL_TF or error.hint in text)


def test_the_layout_checks_can_fail(browser, searched, tmp_path):
    page = tmp_path / "broken.html"
    text = render(searched, "mmconvert").replace("</body>", '<p style="color: #ccc; width: 2000px">pale</p></body>')
    page.write_text(text.replace("</header>", '</header><img src="http://127.0.0.1:9/a.png"><script>x.y</script>'))
    browser.open(page.as_uri(), 1280, "light")
    found = browser.evaluate(LAYOUT)
    assert any("wider" in line for line in found) and any("contrast" in line for line in found)
    assert browser.problems() and len(browser.requests()) == 2
