"""The site of these pages: every page is in it, and it builds without a warning where mkdocs is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACES = (Path(sys.executable).parent / "mkdocs", ROOT / ".venvs/docs/bin/mkdocs")
MKDOCS = next((str(place) for place in PLACES if place.exists()), None)
NEIGHBOURS = {"README.md": "index.md"}  # the others keep their names, in small letters
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


def test_the_navigation_lists_every_page() -> None:
    pages = {str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md")}
    pages |= {NEIGHBOURS.get(page.name, page.name.lower()) for page in ROOT.glob("*.md")} | {"examples/README.md"}
    listed = re.findall(r"^ +- (?:[^:#\n]+: )?(\S+\.md)(?: #.*)?$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(pages)


class Loaded(HTMLParser):
    """Collects what a browser fetches by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        if (target := fields.get(LOADED.get(tag, ""))) and fields.get("rel") != "canonical":
            self.targets.append(target)


@pytest.mark.skipif(MKDOCS is None, reason="mkdocs is not installed: make docs")
def test_the_site_builds_and_needs_no_other_server(tmp_path: Path) -> None:
    assert MKDOCS is not None
    command = [MKDOCS, "build", "--strict", "--site-dir", str(tmp_path / "site")]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, env=quiet)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text())
        assert len(loaded.targets) > 3
        assert not [target for target in loaded.targets if re.match(r"(https?:)?//", target)], page.name
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", style.read_text()), style.name


@pytest.mark.skipif(MKDOCS is None, reason="mkdocs is not installed: make docs")
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    assert MKDOCS is not None
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "tests", "daemon", "converter")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=ignored)
    with (copy / "docs/faq.md").open("a") as page:
        page.write("\nSee [nothing](operations.md#no-such-heading).\n")
    command = [MKDOCS, "build", "--strict"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=100)
    assert done.returncode != 0
    assert "no-such-heading" in done.stderr
