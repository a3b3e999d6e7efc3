from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from mmclient import pixels
from mmclient.cli.main import VERBS, command
from mmwire.errors import CODES

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def test_the_table_of_codes_is_the_tree_of_errors() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+) \| (\d+) \| (yes|no) \|$", PAGE, re.MULTILINE)
    told = {code: (meaning, int(status), retryable == "yes") for code, meaning, status, retryable in rows}
    assert told == {code: (entry.meaning, entry.exit_status, entry.retryable) for code, entry in CODES.items()}
    assert len(rows) == len(CODES)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_flag_is_there(verb: str) -> None:
    assert re.search(rf"^\| `{verb}[ `]", PAGE, re.MULTILINE)
    found = command.get_command(click.Context(command), verb)
    assert found is not None
    for parameter in found.params:
        if isinstance(parameter, click.Option):
            assert all(f"`{flag}" in PAGE for flag in parameter.opts), parameter.opts


def test_every_kind_of_file_is_there() -> None:
    for suffix in (*pixels.SUFFIXES, ".npy", ".npz", ".json", ".csv", ".wav", ".jsonl"):
        assert f"`{suffix}`" in PAGE
