import numpy as np

from mmconvert.parity.rows import BATCH_ROWS, RANDOM_ROWS, batch_feed, random_feeds
from mmconvert.source.signature import UNKNOWN, Signature, Tensor

MIXED = Signature(
    "s",
    (Tensor("a", "float32", (UNKNOWN, 3, UNKNOWN)), Tensor("b", "int64", (UNKNOWN,)), Tensor("c", "bool", (1, 2))),
    (),
)


def test_random_rows_are_seeded_typed_and_begin_with_zeros():
    feeds = random_feeds(MIXED)
    assert len(feeds) == RANDOM_ROWS + 3
    assert not any(array.any() for array in feeds[0].values())
    assert all((array == 1).all() for array in feeds[1].values())
    assert set(np.unique(feeds[2]["a"])) == {-16, 16}
    assert {(array.dtype.name, array.ndim, array.shape[0]) for array in feeds[5].values()} == {
        ("float32", 3, 1),
        ("int64", 1, 1),
        ("bool", 2, 1),
    }
    assert all((feed["b"] <= 1).all() for feed in feeds)
    again = random_feeds(MIXED)
    assert all(np.array_equal(one["a"], two["a"]) for one, two in zip(feeds, again, strict=True))


def test_a_batch_is_made_only_where_every_input_takes_one():
    assert batch_feed(MIXED, random_feeds(MIXED)) is None  # c is always one row
    open_ended = Signature("s", MIXED.inputs[:2], ())
    batch = batch_feed(open_ended, random_feeds(open_ended))
    assert batch is not None and batch["a"].shape[0] == BATCH_ROWS
    assert batch_feed(open_ended, random_feeds(open_ended)[: BATCH_ROWS - 1]) is None
