"""``constraints.txt`` names one version of every package that this project asks for, one that pyproject.toml allows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", CONSTRAINTS, re.MULTILINE)
}
ASKED = [
    requirement
    for text in (
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *(text for extra in ("convert", "images", "dev", "docs", "release") for text in EXTRAS[extra]),
    )
    if (requirement := Requirement(text)).name != PROJECT["project"]["name"]
]


@pytest.mark.parametrize("requirement", ASKED, ids=str)
def test_each_requirement_has_a_version_that_it_allows(requirement: Requirement) -> None:
    pinned = PINS.get(canonicalize_name(requirement.name))
    assert pinned is not None, "run `make constraints`"
    assert requirement.specifier.contains(pinned, prereleases=True), f"{pinned}: run `make constraints`"


def test_every_line_is_one_exact_version() -> None:
    lines = [line for line in CONSTRAINTS.splitlines() if line and not line.lstrip().startswith("#")]
    assert len(lines) == len(PINS) > 50
