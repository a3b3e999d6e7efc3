"""config.toml, docs/configuration.md and ``mmdaemon --help`` say exactly what the schema says."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from mmdaemon.__main__ import command
from mmdaemon.config.load import PREFIX
from mmdaemon.config.schema import SECTIONS, default_paths
from mmwire.manifest import ModelOptions

ROOT = Path(__file__).parents[2]
KEYS = {f"{section}.{key.name}": key for section, kind in SECTIONS.items() for key in fields(kind)}
PAGE = (ROOT / "docs/configuration.md").read_text()
SETTINGS = (ROOT / "config.toml").read_text()
HELP = command.get_help(click.Context(command, info_name="mmdaemon", terminal_width=400, max_content_width=400))
PATHS = [key.partition(".")[2] for key in KEYS if key.startswith("paths.")]
MODELS_ARE_MADE = "./models, which the daemon makes if needed"


def rows(page: str) -> dict[str, list[str]]:
    found = (line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `"))
    return {cells[0].strip().strip("`"): [cell.strip() for cell in cells] for cells in found}


def shown(default: Any) -> str:
    """Return a default as TOML has it."""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default}`"


def test_config_toml_lists_every_key_with_its_default() -> None:
    tables = tomllib.loads(re.sub(r'^# (\w+ = ")', r"\1", SETTINGS, flags=re.MULTILINE))
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


def default_places(path: str) -> list[str]:
    """Return the default places of a path, as the texts write them: for root, for others, without XDG variables."""
    xdg = {"XDG_STATE_HOME": "$XDG_STATE_HOME", "XDG_RUNTIME_DIR": "$XDG_RUNTIME_DIR"}
    found = (default_paths({}, 0), default_paths(xdg, 1000), default_paths({"HOME": "~"}, 1000))
    places = [str(getattr(paths, path)).replace("1000", "$UID") for paths in found]
    return [re.sub(rf"^{re.escape(os.getcwd())}/", "./", place) for place in dict.fromkeys(places)]  # noqa: PTH109


def flag_help(flag: str) -> str:
    """Return the line of the help about a flag."""
    [line] = re.findall(rf"^ +--{flag} .*$", HELP, re.MULTILINE)
    return str(line)


def comment_about(path: str) -> str:
    """Return the comment in config.toml above the key of a path."""
    above = SETTINGS.partition(f"\n# {path} = ")[0].splitlines()
    first = max(index for index, line in enumerate(above) if not line.startswith("#") or re.match(r"# \w+ = ", line))
    return " ".join(line.removeprefix("# ") for line in above[first + 1 :])


def test_every_path_has_a_flag() -> None:
    options = {name.removeprefix("--") for option in command.params for name in option.opts if name.startswith("--")}
    assert set(PATHS) == options - {"config", "check", "version", "help"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("text", ["help", "config.toml", "page"])
def test_the_texts_name_the_default_places(text: str, path: str) -> None:
    told = {
        "help": lambda: flag_help(path),
        "config.toml": lambda: comment_about(path),
        "page": lambda: " ".join(rows(PAGE)[f"paths.{path}"]).replace("`", ""),
    }[text]()
    places = default_places(path)
    assert len(places) >= 2
    for place in places:
        assert re.search(rf"(^|\s){re.escape(place)}([,;.]?\s|[,;.]?$)", told), f"{place} is not in: {told}"


def test_the_texts_agree_on_which_folder_the_daemon_makes() -> None:
    for told in (flag_help("models"), comment_about("models"), rows(PAGE)["paths.models"][2].replace("`", "")):
        assert MODELS_ARE_MADE in told
    for told in (flag_help("models"), comment_about("models")):
        assert "A folder that you name must exist." in told


def test_the_help_says_where_the_other_keys_are() -> None:
    for told in ("--config", "config.toml", f"{PREFIX}SECTION_KEY", "--check"):
        assert told in command.help  # type: ignore[operator]
