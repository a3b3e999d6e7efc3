from pathlib import Path

import pytest

from mmconvert.conversion import Conversion
from mmconvert.job import Job
from mmwire.errors import InternalError


def test_a_stage_adds_its_findings_and_leaves_the_conversion_before_as_it_was():
    before = Conversion(job=Job(Path("model"), "model"), evidence=("one",))
    after = before.adding("two", "three", places=(Path("out.tflite"),))
    assert (after.evidence, after.places) == (("one", "two", "three"), (Path("out.tflite"),))
    assert (before.evidence, before.places) == (("one",), ())


def test_a_field_that_is_read_before_its_stage_is_a_bug():
    conversion = Conversion(job=Job(Path("model"), "model"))
    with pytest.raises(InternalError, match="'signatures' was read before the stage that finds it"):
        print(conversion.subject.signatures)
