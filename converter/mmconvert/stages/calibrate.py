"""Stage calibrate: real inputs are read, checked, and split by what they are for."""

from __future__ import annotations

from mmconvert.calibration.dataset import load_dataset
from mmconvert.conversion import Conversion
from mmconvert.workshop import Workshop


def run(conversion: Conversion, workshop: Workshop) -> Conversion:
    """Return the conversion with its dataset; without real inputs there is none.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: the data cannot be used.
    """
    job, subject = conversion.job, conversion.subject
    if not job.has_data:
        return conversion
    workshop.progress.on_step(f"reading {job.calibration or job.evaluation}")
    dataset = load_dataset(job.calibration, job.evaluation, subject.signatures, subject.labels)
    coarse = dataset.tell_coarse(job.max_drop) if job.searches else []
    return conversion.adding(*dataset.notices, *coarse, dataset=dataset)
