from mmconvert.report.plane import _front, draw_fidelity
from mmconvert.report.svg import NARROW, WIDE


def candidate(name, ms, refusal=""):
    return {"name": name, "sqnr_db": 20.0, "bytes": 1000, "latency_ms": ms and {"estimate": ms}, "refusal": refusal}


def test_the_front_is_what_no_other_place_beats():
    assert _front([(5, 5), (1, 9), (3, 6), (4, 8), (5, 4), (3, 6)]) == [(1, 9), (3, 6), (5, 4)]


def test_a_candidate_is_drawn_as_what_it_is_and_one_without_a_time_not_at_all():
    found = [
        candidate("float32", 2.0),
        candidate("int8", 1.0),
        candidate("bad", 1.5, "drop"),
        candidate("none", None, "no"),
    ]
    search = {"candidates": found, "chosen": "int8"}
    for width in (WIDE, NARROW):
        picture = draw_fidelity(search, width)
        assert picture.count("<circle") == 3
        for kind in ("good", "chosen", "refused"):
            assert picture.count(f'class="{kind}"') == 1
    assert ">int8<" in draw_fidelity(search, WIDE) and ">none<" not in draw_fidelity(search, WIDE)
