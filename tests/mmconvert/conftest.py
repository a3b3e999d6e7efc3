import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

FACTORY = Path(__file__).with_name("saved_model_factory.py")


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory):
    """The folder of the SavedModels that the factory makes; they are read only."""
    target = tmp_path_factory.mktemp("saved_models")
    environment = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("tmp")), "TF_CPP_MIN_LOG_LEVEL": "3"}
    made = subprocess.run([sys.executable, FACTORY, target], capture_output=True, text=True, env=environment)
    assert made.returncode == 0, made.stderr[-2000:]
    return target


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory):
    """Where all conversions of a session keep their results: what one test has converted, the next need not."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def mmconvert(tmp_path, cache_home):
    """Run the command as a process in a folder of its own, with a temporary folder that must be empty after it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(*arguments, cwd=tmp_path):
        done = subprocess.run(
            [sys.executable, "-m", "mmconvert", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "TMPDIR": str(scratch), "XDG_CACHE_HOME": str(cache_home)},
            timeout=100,
        )
        assert "Traceback" not in done.stderr
        assert list(scratch.iterdir()) == [], "temporary files were left"
        return done

    return run


@pytest.fixture
def converted():
    """Return the document of a run that must have been a success."""

    def read(done):
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    return read


@pytest.fixture
def refused():
    """Return the error of a run that must have been refused: one line, and perhaps a hint."""

    def read(done, status=1):
        assert done.returncode == status, done.stdout + done.stderr
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert lines[0].startswith("mmconvert: ") and len(lines) <= 2
        return done.stderr

    return read


@pytest.fixture
def rejected():
    """Return the reason of a ``--json`` run that must have ended with a REJECT."""

    def read(done):
        assert done.returncode == 1, done.stdout + done.stderr
        document = json.loads(done.stdout)
        assert document["verdict"] == "REJECT" and document["output"] is None
        return document["reason"]

    return read


@pytest.fixture
def digits(saved_models):
    """The options of a search on real digits."""
    return ("--calibration", saved_models / "digits.npy", "--eval", saved_models / "digits_eval.npz", "--json")


@pytest.fixture
def normal_rows():
    """Seeded rows: ``normal_rows(count, *shape)``."""

    def make(count, *shape):
        return np.random.default_rng(5).normal(size=(count, *shape)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def tiny_tflite():
    """A ``.tflite`` that adds a constant: enough to run, to count and to pack, made without TensorFlow."""

    def tensor(name, buffer, shape=(1, 4)):
        made = schema.TensorT()
        made.name, made.buffer, made.shape, made.type = name, buffer, list(shape), schema.TensorType.FLOAT32
        return made

    def named(name, index):
        made = schema.TensorMapT()
        made.name, made.tensorIndex = name, index
        return made

    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1], [2]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()
    graph = schema.SubGraphT()
    graph.tensors = [tensor(b"in", 0), tensor(b"constant", 1), tensor(b"out", 0)]
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = schema.BuiltinOperator.ADD, 0, 1
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.inputs, signature.outputs = b"serving_default", [named(b"x", 0)], [named(b"y", 2)]
    weights, note = schema.BufferT(), schema.BufferT()
    weights.data = np.arange(4, dtype=np.float32).view(np.uint8)
    note.data = np.frombuffer(b"kept as it is", np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"SOMEBODY_ELSES", 2
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.signatureDefs = 3, [code], [graph], [signature]
    model.buffers, model.metadata = [schema.BufferT(), weights, note], [entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
