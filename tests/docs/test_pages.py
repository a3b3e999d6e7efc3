"""Links of all pages resolve, tests that are named exist, and pages name no command that is not there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmclient.cli.main import VERBS
from mmwire.errors import CODES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        count = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other) is not None for other in found)
        found.add(f"{slug}-{count}" if count else slug)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_anchors_are_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


def test_anchors_are_made_as_github_makes_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One, two\n```\n# a comment\n```\n## `mmctl` & co\n## One, two\n## [A link](x.md)\n")
    assert anchors(page) == {"one-two", "mmctl--co", "one-two-1", "a-link"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`((?:tests|daemon|converter|docs|systemd)/[\w./-]+)`", page.read_text())
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_places_in_the_architecture_page_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    roots = (ROOT, ROOT / "daemon", ROOT / "daemon/mmdaemon", ROOT / "converter", ROOT / "docs")
    for name in set(re.findall(r"`((?:[a-z]+/)+[a-z_]*(?:\.py|\.md)?)`", text)):
        assert any((root / name).exists() for root in roots), name


def test_error_codes_of_the_operations_page_exist() -> None:
    troubles = (ROOT / "docs/operations.md").read_text().partition("## Troubleshooting")[2]
    rows = re.findall(r"^\| (`[^|]*)\|", troubles, re.MULTILINE)
    named = {code for row in rows for code in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", row)}
    assert len(named) > 10 and named <= set(CODES)


@pytest.mark.parametrize("command", ["mmdaemon", "mmctl", "mmconvert"])
def test_flags_that_pages_show_are_in_the_help(command: str) -> None:
    shown: dict[str, set[str]] = {}
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        for line in re.findall(rf"^(?:\$ )?{command} ([^\n;|&#]*)", text, re.MULTILINE):
            verb = ""
            for word in line.split():
                if not verb and command == "mmctl" and word in VERBS:
                    verb = word
                elif flag := re.match(r"--[a-z-]+", word):
                    shown.setdefault(verb, set()).add(flag[0])
    assert shown
    for verb, flags in shown.items():
        call = [Path(sys.executable).parent / command, *filter(None, [verb]), "--help"]
        told = re.findall(r"--[a-z-]+", subprocess.run(call, capture_output=True, text=True).stdout)
        assert flags <= set(told), verb


def test_the_index_of_decisions_has_every_decision() -> None:
    pages = {page.name for page in (ROOT / "docs/decisions").glob("0*.md")}
    index = (ROOT / "docs/decisions/README.md").read_text()
    assert pages and set(re.findall(r"\]\((0[^)]+\.md)\)", index)) == pages
