"""Stage convert: TensorFlow turns the original into a float model."""

from __future__ import annotations

from mmconvert.conversion import Conversion
from mmconvert.workshop import Workshop


def run(conversion: Conversion, workshop: Workshop) -> Conversion:
    """Return the conversion with its float model.

    Raises:
        ConvertError: As ``TensorFlowBackend.convert``.
    """
    workshop.progress.on_step("converting to a float model")
    return conversion.adding(model=workshop.tensorflow.convert(conversion.subject))
