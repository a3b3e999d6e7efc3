"""Misspelt words: finds the known word that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable

MAX_CHARACTERS = 100  # nothing that this project names is longer; a longer word costs milliseconds and resembles none


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known word that a word resembles most, None when it resembles none.

    Args:
        word: Any text; one of more than ``MAX_CHARACTERS`` resembles nothing.
        known: The words to choose from.
        likeness: How much they must have in common, from 0 to 1.
    """
    if len(word) > MAX_CHARACTERS:
        return None
    import difflib  # only after a slip: the import takes 1 ms, and most starts do without it

    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=likeness)), None)
