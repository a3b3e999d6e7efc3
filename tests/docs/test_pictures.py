"""The pictures show what the code says: each is as its script draws it now, and names what exists."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from docs.pictures import bench, draw, locks, minute, states

from mmdaemon.loader import name_state
from mmdaemon.registry import state as registry_state

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/pictures"
DAEMON = ROOT / "daemon/mmdaemon"
PICTURES = sorted(FOLDER.glob("*.svg"))
AGAIN = "draw it again: .venv/bin/python -m docs.pictures.draw"


@pytest.mark.parametrize("name", draw.PICTURES)
def test_a_picture_is_what_its_script_draws(name: str) -> None:
    assert (FOLDER / f"{name}.svg").read_text() == draw.PICTURES[name]().text_of(), AGAIN


TABLES = {"states": registry_state.TRANSITIONS, "names": name_state.TRANSITIONS}


@pytest.mark.parametrize("name", TABLES)
def test_a_state_picture_has_every_arrow_of_its_table_and_no_other(name: str) -> None:
    root, table = ET.parse(FOLDER / f"{name}.svg").getroot(), TABLES[name]
    drawn = [edge for path in root.iter() if (text := path.get("data-edges")) for edge in text.split(", ")]
    wanted = [f"{states.name_of(before)} > {states.name_of(after)}" for before in table for after in table[before]]
    assert sorted(drawn) == sorted(wanted), AGAIN


@pytest.mark.parametrize("name", TABLES)
def test_an_arrow_has_a_head_at_each_state_that_it_leads_to(name: str) -> None:
    root = ET.parse(FOLDER / f"{name}.svg").getroot()
    arrows = [path for path in root.iter() if path.get("data-edges")]
    assert len(arrows) > 4
    for path in arrows:
        heads = [name for name in ("marker-start", "marker-end") if path.get(name)]
        assert len(heads) == len(path.get("data-edges", "").split(", "))


def places_of(name: str, attribute: str) -> set[str]:
    return {value for element in ET.parse(FOLDER / name).iter() if (value := element.get(attribute))}


def test_the_paths_lead_through_folders_that_exist() -> None:
    places = places_of("paths.svg", "data-place")
    assert len(places) >= 7
    assert not [place for place in places if not (DAEMON / place).is_dir()]


def test_the_locks_picture_names_every_module_that_makes_a_lock() -> None:
    making = re.compile(r"threading\.(?:Lock|RLock)\(")
    makers = {str(path.relative_to(DAEMON)) for path in DAEMON.rglob("*.py") if making.search(path.read_text())}
    assert places_of("locks.svg", "data-lock") == makers == {place for place, *_ in locks.LOCKS}


def test_the_table_of_locks_names_the_same_modules() -> None:
    section = (ROOT / "docs/architecture.md").read_text().partition("## Locks")[2].partition("\n## ")[0]
    named = {name for row in re.findall(r"^\| `[^|]*\|", section, re.M) for name in re.findall(r"`(\w+/\w+\.py)`", row)}
    assert named == {place for place, *_ in locks.LOCKS}


def test_the_minute_shows_what_the_readme_shows() -> None:
    drawn = "\n".join("".join(text.itertext()) for text in ET.parse(FOLDER / "minute.svg").iter())
    printed = re.findall(r"```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    for line in printed.splitlines():
        assert line in drawn
    assert re.search(r"[1-9][\d,]+ answers, 0 failed", drawn)


def test_the_minute_rests_at_its_end() -> None:
    text = (FOLDER / "minute.svg").read_text()
    assert "prefers-reduced-motion" in text
    seen = minute.Run(("a", "n 8 eight 1.0 %", "b", "n 9 nine 2.0 %"), {1: 2, 2: 3}, 0)
    assert "5 answers, 0 failed" in minute.draw(seen)


def test_the_bench_picture_shows_the_run_that_is_kept_beside_it() -> None:
    words = (FOLDER / "bench.txt").read_text()
    assert (FOLDER / "bench.svg").read_text() == bench.draw(words).text_of()
    assert len(bench.read(words)) == 3
    assert re.search(r"; Python 3\.\d+\.\d+; \d{4}-\d\d-\d\d$", words.splitlines()[0])


def test_the_readme_quotes_the_run_that_is_kept() -> None:
    words, readme = (FOLDER / "bench.txt").read_text(), (ROOT / "README.md").read_text()
    section = readme.partition("## The cost of a call")[2].partition("\n## ")[0]
    found = dict(re.findall(r"^ *(\S.*?) {2,}([\d.]+) (?:MB|ms)", words, re.MULTILINE))
    section = " ".join(section.split())
    drop = next(value for name, value in found.items() if name.startswith("4 MB renamed"))
    helper = "the probe's helper apart"
    assert f"first request after {drop} ms" in section
    assert f"takes {float(found['resident memory with no model']):.0f} MB without a model" in section
    assert f"its helper {float(found[helper]):.0f} MB" in section
    assert f"serve {found['20 models to READY, cold']} ms after its start" in section
    for row in bench.read(words):
        assert f"{row.invoke:,.0f} and {row.library:,.0f}" in section


def figures_of(words: str, name: str) -> list[str]:
    """Return the figures in the line of the bench that begins with a name."""
    [rest] = re.findall(rf"^{re.escape(name)} {{2,}}(.*)", words, re.MULTILINE)
    return [figure for figure in rest.split() if figure != "|"]


def test_the_readme_quotes_overload_and_a_swap() -> None:
    words, readme = (FOLDER / "bench.txt").read_text(), (ROOT / "README.md").read_text()
    section = " ".join(readme.partition("## The cost of a call")[2].partition("\n## ")[0].split())
    _, _, share, _, _, refusal_ms, *_ = figures_of(words, "a queue of 64")
    assert f"it still answers {float(share):.0%}".replace("%", " %") in section
    assert f"99 of 100 refusals come within {refusal_ms} ms" in section
    plain, swapped = (figures_of(words, name)[2] for name in ("without a swap", "with a swap in the middle"))
    assert f"is {swapped} ms while its model is replaced, and {plain} ms without a swap" in section


def test_the_performance_page_explains_columns_that_the_run_has() -> None:
    words, page = (FOLDER / "bench.txt").read_text(), (ROOT / "docs/performance.md").read_text()
    heads = " ".join(line for line in words.splitlines() if "p99" in line)
    cells = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
    named = [name for cell in cells if cell not in ("column", "---") for name in cell.split(", ")]
    assert len(named) > 14
    assert not [name for name in named if name not in heads]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_a_picture_stands_alone_and_is_shown_somewhere(picture: Path) -> None:
    root = ET.parse(picture).getroot()
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    links = [value for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")]
    assert not [link for link in links if not link.startswith(("data:", "#"))]
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    assert any(f"pictures/{picture.name}" in page.read_text() for page in pages)


def test_pictures_can_be_read_in_dark_mode() -> None:
    for picture in PICTURES:
        text = picture.read_text()
        assert "prefers-color-scheme:dark" in text or 'class="card"' in text, "a ground of its own in one mode or both"
