import numpy as np

from mmconvert.feed import join_feeds, load_feeds, save_feeds


def test_feeds_travel_with_any_name_and_shape(tmp_path):
    feeds = [{"a/b:0": np.zeros((1, n)), "file": np.array(n)} for n in range(3)]
    save_feeds(tmp_path / "feeds.npz", feeds)
    back = load_feeds(tmp_path / "feeds.npz")
    assert [feed["a/b:0"].shape for feed in back] == [(1, 0), (1, 1), (1, 2)]
    assert [int(feed["file"]) for feed in back] == [0, 1, 2]
    assert join_feeds([{"a": feed["a/b:0"].T} for feed in back])["a"].shape == (3, 1)
