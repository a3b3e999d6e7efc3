import math

import numpy as np
import pytest

from mmconvert.feed import join_feeds, load_feeds, save_feeds
from mmconvert.parity.gate import require_comparable, require_float_parity, require_quantized_parity
from mmconvert.parity.metric import compare
from mmconvert.parity.rows import BATCH_ROWS, RANDOM_ROWS, batch_feed, random_feeds
from mmconvert.parity.summary import summarise
from mmconvert.source.signature import UNKNOWN, Signature, Tensor
from mmwire.errors import ConvertError


def answers(*rows, dtype=np.float32):
    return [{"y": np.array([row], dtype=dtype)} for row in rows]


def test_figures_follow_their_formulas():
    (figure,) = compare(answers([0, 4], [2, -4]), answers([1, 4], [2, -4]))
    assert figure.max_abs_error == 1
    assert figure.relative_error == 1 / 8  # the range is -4 to 4
    assert figure.sqnr_db == pytest.approx(10 * math.log10(36 / 1))
    assert figure.top1_agreement is None and figure.equal_share is None


def test_equal_outputs_have_no_error_even_when_all_are_zero():
    (figure,) = compare(answers([0, 0]), answers([0, 0]))
    assert (figure.max_abs_error, figure.relative_error, figure.sqnr_db) == (0, 0, math.inf)
    assert summarise([figure])["sqnr_db"] is None
    require_float_parity([figure])
    require_quantized_parity([figure], "int8", rows_are_real=True)


def test_classes_are_compared_when_the_original_gives_probabilities():
    original = answers([0.9, 0.1], [0.2, 0.8], [0.501, 0.499])
    (figure,) = compare(original, answers([0.4, 0.6], [0.1, 0.9], [0.499, 0.501]))
    assert figure.top1_agreement == pytest.approx(2 / 3)  # the third is a tie to an int8 output


def test_where_the_original_is_not_finite_nothing_is_asked():
    (figure,) = compare(answers([np.nan, 1], [-np.inf, 2]), answers([0, 1], [5, 2]))
    assert (figure.non_finite, figure.compared, figure.max_abs_error) == (0, 2, 0)
    require_float_parity([figure])


def test_outputs_are_each_judged_and_the_worst_is_told():
    original = [{"a": np.ones((1, 2), np.float32), "b": np.array([[3]], np.int32)}]
    figures = compare(original, [{"a": np.ones((1, 2), np.float32), "b": np.array([[4]], np.int32)}])
    assert [figure.name for figure in figures] == ["a", "b"]
    assert summarise(figures)["equal_share"] == 0
    with pytest.raises(ConvertError, match=r"output 'b': share of equal values: at least 0\.99 wanted, got 0"):
        require_float_parity(figures)


REFUSED = {
    "NaN or infinite where TensorFlow's are finite": (answers([1, 2]), answers([np.nan, 2])),
    "the shapes differ": (answers([1, 2]), answers([1, 2, 3])),
    "no finite value": (answers([np.nan]), answers([1])),
}


@pytest.mark.parametrize("text", REFUSED)
def test_both_gates_refuse_what_cannot_be_right(text):
    figures = compare(*REFUSED[text])
    for gate in (require_float_parity, lambda outputs: require_quantized_parity(outputs, "int8", rows_are_real=True)):
        with pytest.raises(ConvertError, match=text) as caught:
            gate(figures)
        assert caught.value.hint
        assert caught.value.code == ("SAVED_MODEL_INVALID" if text == "no finite value" else "PARITY_FAILED")


def test_random_rows_beside_real_ones_are_only_held_to_be_finite():
    require_comparable(compare(answers([0, 1]), answers([0, 2])))
    with pytest.raises(ConvertError, match="NaN or infinite"):
        require_comparable(compare(answers([0, 1]), answers([0, np.inf])))


def test_figures_in_the_summary_are_those_of_the_floating_point_outputs():
    original = [{"a": np.ones((1, 2), np.float32), "b": np.array([[30]], np.int32)}]
    figures = compare(original, [{"a": np.full((1, 2), 1.5, np.float32), "b": np.array([[10]], np.int32)}])
    assert summarise(figures)["max_abs_error"] == 0.5


@pytest.mark.parametrize(("error", "passes"), [(0.0009, True), (0.0011, False)])
def test_a_float_model_may_be_off_by_a_thousandth_of_the_range(error, passes):
    figures = compare(answers([0, 1]), answers([0, 1 + error]))
    if passes:
        require_float_parity(figures)
    else:
        with pytest.raises(ConvertError, match=r"at most 0\.001 allowed, got 0\.0011"):
            require_float_parity(figures)


@pytest.mark.parametrize(("error", "passes"), [(0.3, True), (0.33, False)])
def test_a_quantized_model_needs_ten_decibel(error, passes):
    figures = compare(answers([1, 1]), answers([1 + error, 1 - error]))
    if passes:
        require_quantized_parity(figures, "int8", rows_are_real=True)
    else:
        with pytest.raises(ConvertError, match=r"dB\): at least 10 wanted, got 9\.63") as caught:
            require_quantized_parity(figures, "int8", rows_are_real=True)
        assert "--quantize dynamic" in caught.value.hint


def test_the_class_counts_only_on_real_rows():
    figures = compare(answers(*[[0.52, 0.48]] * 10), answers(*[[0.48, 0.52]] * 10))
    require_quantized_parity(figures, "dynamic", rows_are_real=False)
    with pytest.raises(ConvertError, match=r"top-1 agreement: at least 0\.9 wanted, got 0"):
        require_quantized_parity(figures, "dynamic", rows_are_real=True)


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


def test_feeds_travel_with_any_name_and_shape(tmp_path):
    feeds = [{"a/b:0": np.zeros((1, n)), "file": np.array(n)} for n in range(3)]
    save_feeds(tmp_path / "feeds.npz", feeds)
    back = load_feeds(tmp_path / "feeds.npz")
    assert [feed["a/b:0"].shape for feed in back] == [(1, 0), (1, 1), (1, 2)]
    assert [int(feed["file"]) for feed in back] == [0, 1, 2]
    assert join_feeds([{"a": feed["a/b:0"].T} for feed in back])["a"].shape == (3, 1)
