"""Signatures, arrays and files of rows, for the tests of calibration."""

import numpy as np

from mmconvert.calibration.dataset import load_dataset as load_of_several
from mmconvert.source.signature import UNKNOWN, Signature, Tensor

X = Tensor("x", "float32", (UNKNOWN, 2, 3))
ONE = Signature("serving_default", (X,), ())
TWO = Signature("serving_default", (X, Tensor("ids", "int32", (UNKNOWN, 1))), ())


def load_dataset(path, signature):
    return load_of_several(path, None, [signature])


def rows_of(dataset):
    (rows,) = dataset.signatures.values()
    return rows


def calibration_of(dataset):
    return rows_of(dataset).calibration.feeds


def values(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def save(tmp_path, array):
    np.save(tmp_path / "rows.npy", array)
    return tmp_path / "rows.npy"
