import numpy as np
import pytest

from mmconvert.parity.drop import accuracies, drop_of_rows, kind_of_drop


def column(values, name="y"):
    return [{name: np.asarray(value, np.float32)[None]} for value in values]


def test_with_classes_the_drop_counts_lost_right_answers():
    reference = column([[9, 1], [9, 1], [1, 9], [1, 9]])
    answers = column([[9, 1], [1, 9], [9, 1], [1, 9]])
    classes = np.array([0, 0, 0, 1])
    assert drop_of_rows(reference, answers, classes).tolist() == [0, 1, -1, 0]
    assert "labelled" in kind_of_drop(reference, classes)


def test_accuracies_count_right_classes():
    wanted = column([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    got = column([[0.9, 0.1], [0.7, 0.3], [0.6, 0.4]])
    assert accuracies(wanted, got, np.array([0, 1, 1])) == (2 / 3, 1 / 3)
    assert accuracies(column([[1.0]]), column([[1.0]]), np.array([0])) is None


def test_without_classes_a_flip_costs_its_difference_in_probability():
    reference = column([[0.9, 0.1], [0.52, 0.48], [0.3, 0.7]])
    answers = column([[0.1, 0.9], [0.48, 0.52], [0.1, 0.9]])
    assert drop_of_rows(reference, answers, None) == pytest.approx([0.8, 0.04, 0], abs=1e-6)
    assert "probabilities" in kind_of_drop(reference, None)


def test_without_probabilities_the_drop_is_noise_power():
    reference, answers = column([[3, 4], [3, 4]]), column([[3, 4], [3, 4.5]])
    assert drop_of_rows(reference, answers, None) == pytest.approx([0, 0.01])
    assert "noise" in kind_of_drop(reference, None)


def test_answers_that_are_not_finite_cost_everything():
    reference = column([[0.9, 0.1]])
    assert np.isinf(drop_of_rows(reference, column([[np.nan, 0.1]]), None)).all()
    assert np.isinf(drop_of_rows(reference, column([[0.9, 0.1, 0.0]]), None)).all()


def test_of_several_outputs_the_worst_counts():
    reference = [{"a": np.array([[3.0, 4.0]]), "b": np.array([[3.0, 4.0]])}]
    answers = [{"a": np.array([[3.0, 4.0]]), "b": np.array([[3.0, 5.0]])}]
    assert drop_of_rows(reference, answers, None) == pytest.approx([0.04])
