"""The order in which forms may be published; it is settled before the rows held out are looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mmconvert.candidate.candidate import Candidate
from mmconvert.search.choice import choose

_MOST = 3  # besides float32: each further try is one more chance to pass by luck


def rank(baseline: Candidate, candidates: Sequence[Candidate], objective: str) -> list[tuple[Candidate, str]]:
    """Return the choice, its successors and the float baseline, each with its reason in a sentence.

    Each successor is the best of the candidates that are nearer to the float model than the one before, by SQNR. The
    baseline is the last.
    """
    ranked: list[tuple[Candidate, str]] = []
    left = list(candidates)
    while len(ranked) < _MOST:
        chosen, reason = choose(baseline, left, objective)
        ranked.append((chosen, reason))
        if chosen is baseline:
            return ranked
        left = [candidate for candidate in left if candidate is baseline or _sqnr_db(candidate) > _sqnr_db(chosen)]
    return [*ranked, (baseline, "float32 stays")]


def _sqnr_db(candidate: Candidate) -> float:
    return math.inf if candidate.sqnr_db is None else candidate.sqnr_db
