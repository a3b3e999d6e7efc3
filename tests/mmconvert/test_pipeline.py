import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmconvert import pipeline
from mmconvert.conversion import Conversion
from mmconvert.job import Job
from mmconvert.pipeline import STAGES, run_stages
from mmwire.errors import ClientError, ConvertError


class Silent:
    def __init__(self):
        self.stages = []

    def on_stage(self, number, total, name):
        self.stages.append((number, total, name))


@pytest.fixture
def workshop():
    return SimpleNamespace(progress=Silent())


def adds(line):
    return lambda conversion, workshop: conversion.adding(line)


def raises(error):
    def stage(conversion, workshop):
        raise error

    return stage


def start():
    return Conversion(job=Job(Path("model"), "model"))


def test_stages_run_in_their_order(workshop):
    done = run_stages(start(), workshop, {"inspect": adds("one"), "gate": adds("two")})
    assert done.evidence == ("one", "two") and done.refusal is None
    assert workshop.progress.stages == [(1, len(STAGES), "inspect"), (4, len(STAGES), "gate")]


def test_a_refusal_ends_the_way_and_keeps_the_evidence(workshop):
    error = ConvertError("PARITY_FAILED", "not equal")
    error.add_note("what the last stage saw")
    done = run_stages(start(), workshop, {"inspect": adds("one"), "verify": raises(error), "pack": adds("two")})
    assert done.refusal is error and done.evidence == ("one", "what the last stage saw")


@pytest.mark.parametrize("stage", ["convert", "gate"])
def test_a_model_that_litert_cannot_run_goes_on_to_full_tensorflow(workshop, monkeypatch, stage):
    others = {"pack": adds("a folder"), "publish": adds("published")}
    monkeypatch.setattr(pipeline, "_FULL_TF_STAGES", others)
    error = ConvertError("OP_UNSUPPORTED", "no Svd")
    stages = {stage: raises(error), "search": adds("searched"), "pack": adds("a file"), "publish": adds("published")}
    done = run_stages(start(), workshop, stages)
    assert done.obstacle is error and done.refusal is None
    assert done.evidence == ("operation without a built-in form: no Svd", "a folder", "published")
    del stages["publish"]  # as when a file is made again
    assert run_stages(start(), workshop, stages).evidence[-1] == "a folder"


def test_a_limit_does_not_lead_to_full_tensorflow(workshop):
    error = ConvertError("CONVERTER_LIMIT", "too slow")
    assert run_stages(start(), workshop, {"convert": raises(error)}).refusal is error


def test_a_usage_error_is_raised(workshop):
    with pytest.raises(ClientError, match="labels"):
        run_stages(start(), workshop, {"inspect": raises(ClientError("USAGE", "labels"))})


def test_a_full_disk_is_a_refusal(workshop):
    done = run_stages(start(), workshop, {"search": raises(OSError(errno.ENOSPC, "No space left on device"))})
    assert done.refusal.code == "CONVERTER_FAILED" and "No space left on device" in done.refusal.message
