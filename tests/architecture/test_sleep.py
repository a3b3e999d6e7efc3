"""Tests do not sleep: they wait for a condition with ``rig.waiting.wait_for``, or block on what tells them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
# End to end, a pause is what a user or a box does; a bench paces its load.
FREE = ("e2e/", "bench/")
EXCEPTIONS = {
    "rig/waiting.py": "the one pause between two looks",
    "mmclient/test_client_wait.py": "it stands in for the client's own pause, and then pauses",
    "mmdaemon/isolation/models.py": "models that are slow or hang, in processes of their own",
    "mmdaemon/probe/trial_examiner.py": "trials that take long, in the probe's processes",
}


def sleeps(code: str) -> Iterator[int]:
    """Give the lines that name ``time.sleep``."""
    for node in ast.walk(ast.parse(code)):
        is_attribute = isinstance(node, ast.Attribute) and node.attr == "sleep"
        is_import = isinstance(node, ast.ImportFrom) and any(alias.name == "sleep" for alias in node.names)
        if is_attribute or is_import:
            yield node.lineno


def test_only_the_exceptions_sleep() -> None:
    found = {
        str(path.relative_to(TESTS)): list(lines)
        for path in sorted(TESTS.rglob("*.py"))
        if (lines := list(sleeps(path.read_text("utf-8"))))
    }
    sleeping = {name: lines for name, lines in found.items() if not name.startswith(FREE)}

    assert set(sleeping) == set(EXCEPTIONS), (
        f"these sleep in the lines given: {sleeping}; use rig.waiting.wait_for, or give the reason in EXCEPTIONS"
    )


def test_every_spelling_is_seen() -> None:
    assert list(sleeps("import time\ntime.sleep(1)")) == [2]
    assert list(sleeps("from time import sleep\nsleep(1)")) == [1]
    assert list(sleeps("import time as t\npause = t.sleep")) == [2]
    assert list(sleeps("'time.sleep(1)'")) == []
