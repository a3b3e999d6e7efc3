import numpy as np

from mmconvert.calibration.dataset import load_dataset as load_of_several
from mmconvert.calibration.split import MAX_CALIBRATION_ROWS, MAX_HELD_OUT_ROWS, MAX_SEARCH_ROWS
from rig.calibration_rows import ONE, load_dataset, rows_of, save, values


def test_many_rows_are_capped_and_those_that_verify_take_no_other_part(tmp_path):
    random = np.random.default_rng(1).normal(size=(3000, 2, 3))
    dataset = load_dataset(save(tmp_path, random), ONE)
    rows = rows_of(dataset)
    parts = [rows.calibration.feeds, rows.search.feeds, rows.held_out.feeds]
    assert [len(part) for part in parts] == [MAX_CALIBRATION_ROWS, MAX_SEARCH_ROWS, MAX_HELD_OUT_ROWS]
    seen = [feed["x"].tobytes() for part in parts for feed in part]
    assert len(set(seen)) == len(seen) and dataset.rows == 3000
    assert any("float64" in notice for notice in dataset.notices)
    assert any("512 calibrate, 256 choose among candidates, 512 only verify" in notice for notice in dataset.notices)


def test_evaluation_rows_choose_and_verify_and_bring_their_classes(tmp_path):
    random = np.random.default_rng(1).normal(size=(100, 2, 3)).astype(np.float32)
    np.savez(tmp_path / "eval.npz", x=random, labels=np.arange(100))
    dataset = load_of_several(save(tmp_path, values(40, 2, 3)), tmp_path / "eval.npz", [ONE])
    rows = rows_of(dataset)
    assert [len(part.feeds) for part in (rows.calibration, rows.search, rows.held_out)] == [40, 50, 50]
    assert rows.held_out.classes.tolist() == list(range(1, 100, 2)) and dataset.has_classes
    assert all(np.array_equal(feed["x"][0], random[2 * row]) for row, feed in enumerate(rows.search.feeds))
    alone = rows_of(load_of_several(None, tmp_path / "eval.npz", [ONE]))
    assert [feed["x"].tobytes() for feed in alone.calibration.feeds] == [
        feed["x"].tobytes() for feed in alone.search.feeds
    ]


def test_few_rows_do_everything_and_a_notice_says_so(tmp_path):
    dataset = load_dataset(save(tmp_path, values(10, 2, 3)), ONE)
    assert [len(part.feeds) for part in (rows_of(dataset).calibration, rows_of(dataset).held_out)] == [10, 10]
    assert any("same rows" in notice for notice in dataset.notices)
    assert any("only 10" in notice for notice in dataset.notices)
