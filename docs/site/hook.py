"""Bring the pages outside of ``docs/`` into the site, and lead every link to where its target lies there.

mkdocs knows one folder of pages. The README becomes ``index.md``, its neighbours keep their names in small letters, and
any other file of the checkout that a page links to is copied under ``files/``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
_LIST = re.compile(r"^(?![-\s|>#]|\d+\.)(.+\n)(?=- |1\. )", re.MULTILINE)
_LINK = re.compile(r"(\]\(|<img src=\")([^)\s\"#]+)(#[^)\s\"]*)?([)\"])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie beside the README and in ``examples/``."""
    for page in _pages():
        files.append(File.generated(config, _place(page), content=page.read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page whose links lead to places in the site."""
    source = _source(page.file.src_uri)

    def lead(link: re.Match[str]) -> str:
        before, target, anchor, after = link.groups()
        if re.match(r"[a-z]+:", target):
            return link[0]
        aim = Path(os.path.normpath(source.parent / target))
        if not aim.is_file():
            raise PluginError(f"{source.name}: {target} is not a file of the checkout")
        place = _place(aim)
        if place.startswith("files/") and files.get_file_from_path(place) is None:
            files.append(File.generated(config, place, abs_src_path=str(aim)))
        return f"{before}{os.path.relpath(place, Path(page.file.src_uri).parent)}{anchor or ''}{after}"

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [_LIST.sub(r"\1\n", part) for part in parts[::2]]  # GitHub begins a list without an empty line
    return _LINK.sub(lead, "".join(parts))


def _pages() -> list[Path]:
    """Return the pages outside of ``docs/``."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("examples/*.md")])


def _place(path: Path) -> str:
    """Return where a file of the checkout lies among the site's sources."""
    inside = path.relative_to(ROOT)
    if inside.parts[0] == "examples" and inside.suffix == ".md":
        return str(inside)
    if inside.parts[0] == "docs":
        return str(inside.relative_to("docs"))
    if len(inside.parts) == 1 and inside.suffix == ".md":
        return "index.md" if inside.stem == "README" else f"{inside.stem.lower()}.md"
    return f"files/{inside}"


def _source(place: str) -> Path:
    """Return the file of the checkout that a page of the site is made from."""
    beside = {_place(path): path for path in _pages()}
    return beside.get(place, ROOT / "docs" / place)
