"""config.toml and docs/configuration.md say exactly what the schema says."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.config.schema import SECTIONS
from mmwire.manifest import ModelOptions

ROOT = Path(__file__).parents[2]
KEYS = {f"{section}.{key.name}": key for section, kind in SECTIONS.items() for key in fields(kind)}
PAGE = (ROOT / "docs/configuration.md").read_text()


def rows(page: str) -> dict[str, list[str]]:
    found = (line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `"))
    return {cells[0].strip().strip("`"): [cell.strip() for cell in cells] for cells in found}


def shown(default: Any) -> str:
    """Return a default as TOML has it."""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default}`"


def test_config_toml_lists_every_key_with_its_default() -> None:
    text = (ROOT / "config.toml").read_text()
    tables = tomllib.loads(re.sub(r'^# (\w+ = ")', r"\1", text, flags=re.MULTILINE))
    listed: dict[str, Any] = {
        f"{section}.{key}": value for section, keys in tables.items() for key, value in keys.items()
    }
    assert set(listed) == set(KEYS)
    for key, value in listed.items():
        if not key.startswith("paths."):
            assert value == KEYS[key].default, key


@pytest.mark.parametrize("key", KEYS)
def test_the_page_documents_the_key(key: str) -> None:
    cells = rows(PAGE)[key]
    if key.startswith("paths."):
        return
    default = KEYS[key].default
    assert cells[1] == shown(default)
    assert (cells[3] == "live") == bool(KEYS[key].metadata.get("live"))
    if KEYS[key].metadata.get("choices"):
        assert cells[2] == ", ".join(KEYS[key].metadata["choices"])
    elif "high" in KEYS[key].metadata and not isinstance(default, bool):
        assert cells[2] == f"{KEYS[key].metadata['low']} to {KEYS[key].metadata['high']}"


def test_the_page_documents_no_key_that_is_not_there() -> None:
    options = {key.name for key in fields(ModelOptions)}
    assert set(rows(PAGE)) == set(KEYS) | options


def test_the_page_documents_the_options_of_a_model() -> None:
    for key in fields(ModelOptions):
        assert rows(PAGE)[key.name][1] == shown(key.default)
