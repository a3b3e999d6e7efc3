"""Links of all pages resolve, tests that are named exist, and pages name no command that is not there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmwire.errors import CODES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


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
    shown = {
        flag
        for page in PAGES
        for line in re.findall(rf"^(?:\$ )?{command} [^\n]*", page.read_text(), re.MULTILINE)
        for flag in re.findall(r"(?<=\s)--[a-z-]+", line)
    }
    binary = Path(sys.executable).parent / command
    verbs = ["predict", "wait", "ls", "show"] if command == "mmctl" else []
    calls = [[binary, "--help"], *([binary, verb, "--help"] for verb in verbs)]
    helps = [subprocess.run(call, capture_output=True, text=True).stdout for call in calls]
    assert not {flag for flag in shown if not any(flag in text for text in helps)}


def test_the_index_of_decisions_has_every_decision() -> None:
    pages = {page.name for page in (ROOT / "docs/decisions").glob("0*.md")}
    index = (ROOT / "docs/decisions/README.md").read_text()
    assert pages and set(re.findall(r"\]\((0[^)]+\.md)\)", index)) == pages
