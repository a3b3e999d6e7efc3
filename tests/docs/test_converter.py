"""docs/converter.md says exactly what the converter's code says."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from mmconvert import verdict
from mmconvert.backends.litert.golden import RECORDED_ROWS
from mmconvert.cache import MAX_BYTES
from mmconvert.calibration import image, split
from mmconvert.candidate.recipe import QUICK, RECIPES
from mmconvert.cli import convert, doctor, verify
from mmconvert.pack import seal
from mmconvert.parity import gate, statistic
from mmconvert.pipeline import STAGES
from mmconvert.search import choice
from mmconvert.search.search import ROUNDS, SCANNED
from mmwire import tflite
from mmwire.errors import CODES, ConvertError
from mmwire.golden import GOLDEN_ENTRY

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/converter.md").read_text()
INSIDE = (ROOT / "docs/converter-inside.md").read_text()
OPTIONS = {option.opts[-1]: option for option in convert.command.params if isinstance(option, click.Option)}


def section(title: str, page: str = PAGE) -> str:
    return page.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str) -> dict[str, list[str]]:
    """Return the rows of the tables that begin with a word of code, by that word."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    return {re.findall(r"`([^`]+)`", cells[0])[-1]: cells for cells in found}


def test_every_option_is_documented_and_none_that_is_not_there() -> None:
    assert list(rows(section("Options"))) == list(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_defaults_and_choices_are_the_codes(name: str) -> None:
    option, cells = OPTIONS[name], rows(section("Options"))[name]
    if option.show_default:
        assert cells[1] == f"`{option.default}`"
    if isinstance(option.type, click.Choice):
        assert ", ".join(f"`{choice}`" for choice in option.type.choices) in cells[2]
    for other in option.opts:
        assert f"`{other}`" in cells[0]


@pytest.mark.parametrize(("command", "title"), [(doctor.command, "Options"), (verify.command, "Cache and verify")])
def test_the_other_forms_have_all_their_options(command: click.Command, title: str) -> None:
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.opts[-1] in section(title)


def test_verdicts() -> None:
    known = {verdict.LITE_INT8, verdict.LITE_MIXED, verdict.LITE_FLOAT, verdict.FULL_TF, verdict.REJECT}
    assert set(rows(section("Verdicts"))) == known


def test_recipes_and_their_meaning() -> None:
    listed = {name: cells for name, cells in rows(section("The search")).items() if name in RECIPES}
    assert {name: cells[1] for name, cells in listed.items()} == {
        recipe.name: recipe.meaning for recipe in RECIPES.values()
    }


def test_presets() -> None:
    listed = {name: cells for name, cells in rows(section("The search")).items() if name not in RECIPES}
    assert listed == {
        preset: [
            f"`{preset}`",
            str(len(QUICK)) if preset == "quick" else "all",
            str(ROUNDS[preset]),
            str(SCANNED[preset]),
        ]
        for preset in OPTIONS["--preset"].type.choices
    }


def test_error_codes_and_their_exit_statuses() -> None:
    listed = {name: cells[1] for name, cells in rows(section("Errors and the way out")).items()}
    codes = [*ConvertError.family, "SIGNATURE_NOT_FOUND", "USAGE"]
    assert listed == {code: str(CODES[code].exit_status) for code in codes}


def test_what_is_in_the_file() -> None:
    entries = (tflite.DIGEST_ENTRY, tflite.BYTES_ENTRY, tflite.LABELS_ENTRY, tflite.PROVENANCE_ENTRY)
    assert set(rows(section("What is in the file"))) == {*entries, GOLDEN_ENTRY, seal.IO_ENTRY, seal.RECIPE_ENTRY}
    assert RECORDED_ROWS == 2 and "two made-up rows" in PAGE


def test_stages_and_their_modules() -> None:
    listed = rows(section("Stages", INSIDE))
    assert set(listed) == set(STAGES)
    for cells in listed.values():
        for name in re.findall(r"`([\w/.]+)`", cells[1]):
            assert (ROOT / "converter/mmconvert" / name).exists(), name


def test_numbers_of_the_split() -> None:
    text = " ".join(section("Real inputs").split())
    assert f"fewer than {2 * split.MIN_HELD_OUT_ROWS} rows" in text
    most = (split.MAX_CALIBRATION_ROWS, split.MAX_SEARCH_ROWS, split.MAX_HELD_OUT_ROWS, image.MAX_IMAGES)
    assert "At most {} calibrate, {} choose and {} verify, of at most {} images".format(*most) in text
    assert f"Give {split.ADVISED_ROWS} or more" in text


def test_numbers_of_the_choice() -> None:
    text = section("The search")
    assert f"Its lower end must pass {choice.MIN_SPEEDUP}." in text
    assert f"{100 * statistic.CONFIDENCE:.0f} % of the resamples" in text
    assert f"{statistic.RESAMPLES} resamples" in INSIDE
    assert f"Above {MAX_BYTES >> 30} GB" in PAGE


def test_limits_of_the_gates() -> None:
    text = section("Gates", INSIDE)
    for limit in (
        f"<= {gate.MAX_RELATIVE_ERROR:g} ",
        f">= {gate.MIN_SQNR_DB:g} dB",
        f"float32, whole numbers | {gate.MIN_EQUAL_SHARE_FLOAT:.0%}".replace("%", " %"),
        f"same class in {gate.MIN_TOP1_AGREEMENT:.0%}".replace("%", " %"),
        f"form, whole numbers | {gate.MIN_EQUAL_SHARE_QUANTIZED:.0%}".replace("%", " %"),
        f"at least {verdict.MIN_PARAMETER_SHARE:.0%}".replace("%", " %"),
        f"at most {verdict.MAX_FLOAT_WEIGHT_SHARE:.0%}".replace("%", " %"),
    ):
        assert limit in text, limit


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs/pictures/report.png").stat().st_size < 200_000
