import json

from mmconvert.candidate.pick import Pick, read_pick
from mmconvert.candidate.recipe import (
    STATIC_INT8,
)


def test_a_pick_survives_being_written_down():
    pick = Pick(STATIC_INT8.keeping_float(["a;"]), True, {"chosen": "it"})
    assert read_pick(json.loads(json.dumps(pick.as_dict()))) == pick
