"""Holds the core to a floor of branch coverage: ``python -m tests.rig.coverage_floor``, or ``make coverage``.

Only what the tests run inside their own process counts. The floor is for each folder by itself, so that a well-tested
one cannot hide another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("tests/mmwire", "tests/mmdaemon")
# Percent of the branches, and of the statements, that these tests must reach. No floor ever sinks.
FLOORS = {
    "daemon/mmwire": 95,
    "daemon/mmdaemon/dispatch": 95,
    "daemon/mmdaemon/store": 95,
    "daemon/mmdaemon/loader": 95,
    "daemon/mmdaemon/registry": 95,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """The coverage of one folder.

    Attributes:
        folder: As in ``FLOORS``.
        statements: Percent of them that ran.
        branches: Percent of them that were taken.
        missing: What was not reached, one line of text a file.
    """

    folder: str
    statements: float
    branches: float
    missing: tuple[str, ...]

    @property
    def is_low(self) -> bool:
        return min(self.statements, self.branches) < FLOORS[self.folder]


def measure() -> dict[str, Any]:
    """Run the tests under coverage.py; return its JSON report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        sources = [f"--cov={name}" for name in FLOORS]
        options = ["-q", "-m", "not tensorflow", "--cov-branch", "--cov-report=", f"--cov-report=json:{report}"]
        environment = os.environ | {"COVERAGE_FILE": str(Path(folder) / "data")}
        command = [sys.executable, "-m", "pytest", *options, *sources, *TESTS]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        return dict(json.loads(report.read_text()))


def figures(report: dict[str, Any]) -> list[Figure]:
    """Return the figure of each folder of ``FLOORS``."""
    return [_figure(folder, report["files"]) for folder in FLOORS]


def _figure(folder: str, files: dict[str, Any]) -> Figure:
    inside = {path: file for path, file in files.items() if path.startswith(folder + "/")}
    if not inside:
        raise SystemExit(f"coverage: no file of {folder} was measured; is it still there? See FLOORS in {__file__}")
    sums = {key: sum(file["summary"][key] for file in inside.values()) for key in _COUNTS}
    missing = [
        f"{path}: lines {file['missing_lines']}, branches {file['missing_branches']}"
        for path, file in inside.items()
        if file["missing_lines"] or file["missing_branches"]
    ]
    return Figure(
        folder,
        _percent(sums["covered_lines"], sums["num_statements"]),
        _percent(sums["covered_branches"], sums["num_branches"]),
        tuple(missing),
    )


_COUNTS = ("covered_lines", "num_statements", "covered_branches", "num_branches")


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0


def main() -> int:
    try:
        found = figures(measure())
    except subprocess.CalledProcessError as error:
        return error.returncode
    print(f"{'folder':32}{'floor':>8}{'statements':>12}{'branches':>10}")
    for one in found:
        print(f"{one.folder:32}{FLOORS[one.folder]:>7}%{one.statements:>11.1f}%{one.branches:>9.1f}%")
    low = [one for one in found if one.is_low]
    for one in low:
        print(f"\n{one.folder} is below its floor of {FLOORS[one.folder]} %. No test reached:")
        print("\n".join(f"  {line}" for line in one.missing))
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
