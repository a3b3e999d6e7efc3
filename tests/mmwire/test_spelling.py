from __future__ import annotations

import subprocess
import sys

import pytest

from mmwire.spelling import MAX_CHARACTERS, nearest

KNOWN = ["digits", "kws", "vww"]


@pytest.mark.parametrize(("word", "meant"), [("digist", "digits"), ("kw", "kws"), ("camera", None), ("", None)])
def test_finds_the_word_that_was_meant(word: str, meant: str | None) -> None:
    assert nearest(word, KNOWN) == meant


def test_the_caller_says_how_alike_words_must_be() -> None:
    assert nearest("digital", KNOWN, likeness=0.9) is None
    assert nearest("digital", KNOWN, likeness=0.6) == "digits"


def test_a_long_word_resembles_nothing() -> None:
    longest = "d" * MAX_CHARACTERS
    assert nearest(longest, [longest]) == longest
    assert nearest(longest + "d", [longest + "d"]) is None


def test_difflib_is_loaded_only_after_a_slip() -> None:
    code = "import sys, mmwire.manifest, mmdaemon.config.load, mmclient.cli.main; print('difflib' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == "False\n"
