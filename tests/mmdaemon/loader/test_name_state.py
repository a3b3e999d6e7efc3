"""The phases of a name: the table is complete, and nothing goes round it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from mmdaemon.loader.name_state import TRANSITIONS, NameState, Phase
from mmdaemon.registry.model import Model
from mmdaemon.store.layout import Layout
from mmdaemon.store.ledger import Ledger
from mmdaemon.store.records import Records


@pytest.mark.parametrize(("before", "after"), list(itertools.product([None, *Phase], Phase)))
def test_only_what_the_table_allows_may_follow(tmp_path: Path, before: Phase | None, after: Phase) -> None:
    state = NameState(Model("a"), Records(Ledger(Layout(tmp_path))), phase=before)
    if before is after or after in TRANSITIONS[before]:
        state.enter(after)
        assert state.phase is after
    else:
        with pytest.raises(AssertionError, match="cannot go"):
            state.enter(after)


def test_every_phase_is_reached_and_only_the_last_one_is_not_left() -> None:
    assert set().union(*TRANSITIONS.values()) == set(Phase)
    assert [phase for phase, after in TRANSITIONS.items() if not after] == [Phase.RETIRED]
