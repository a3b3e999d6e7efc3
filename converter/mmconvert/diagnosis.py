"""A diagnosis: what a SavedModel holds and what a conversion would do to it, found without TensorFlow."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmconvert.source.folder import KERAS_SUFFIXES, read_model, require_keras_file, require_variables
from mmconvert.source.inspection import Inspection, inspect, require_portable
from mmconvert.source.signature import UNKNOWN, choose_signatures, require_convertible
from mmwire.errors import MmError

_STATE_OPS = ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")
_LIST_OPS = ("TensorListReserve", "TensorListFromTensor")
_LOOP_OPS = ("While", "StatelessWhile")
_KERAS_REPAIR = "export it to a SavedModel first; a .h5 file of Keras 2 is loaded with tf-keras"


@dataclass(slots=True)
class Diagnosis:
    """The findings. The fields, in this order, are the ``--json`` document.

    Attributes:
        repairs: What the conversion would mend in a copy.
        remarks: What is worth knowing before the conversion.
        error: Why the conversion would be refused at once, None if it would not.
    """

    source: str
    producer: str = ""
    signatures: dict[str, Any] = field(default_factory=dict)
    ops: dict[str, int] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the ``--json`` document."""
        return asdict(self)

    def as_text(self) -> str:
        """Return the diagnosis for people."""
        if self.error is not None and not self.producer:
            return f"{self.source}: cannot be converted"
        lines = [f"{self.source}: " + (f"written by TensorFlow {self.producer}" if self.producer else "a Keras file")]
        for name, sides in self.signatures.items():
            lines.append(f"  signature {name}")
            lines += [f"    takes   {tensor}" for tensor in sides["inputs"]]
            lines += [f"    gives   {tensor}" for tensor in sides["outputs"]]
        if self.ops:
            found = ", ".join(f"{count} {op}" for op, count in sorted(self.ops.items(), key=lambda item: -item[1]))
            lines.append(f"  ops       {found}")
        lines += [f"  repair    {line}" for line in self.repairs or ["none"]]
        lines += [f"  note      {line}" for line in self.remarks]
        return "\n".join(lines)


def examine(source: Path) -> Diagnosis:
    """Return the diagnosis of a SavedModel or a Keras file; a refusal is part of it."""
    diagnosis = Diagnosis(str(source))
    try:
        if source.suffix in KERAS_SUFFIXES and source.is_file():
            require_keras_file(source)
            diagnosis.repairs.append(_KERAS_REPAIR)
            return diagnosis
        inspection = inspect(read_model(source))
        _describe(inspection, diagnosis)
        require_variables(source, diagnosis.ops)
        for signature in choose_signatures(inspection.signatures, None):
            require_convertible(signature)
            require_portable(inspection, signature)
    except MmError as error:
        diagnosis.error = error.as_dict()
    return diagnosis


def _describe(inspection: Inspection, diagnosis: Diagnosis) -> None:
    diagnosis.producer = inspection.producer or "unknown"
    for name, signature in inspection.signatures.items():
        sides = {"inputs": signature.inputs, "outputs": signature.outputs}
        diagnosis.signatures[name] = {side: [tensor.describe() for tensor in sides[side]] for side in sides}
        for tensor in signature.inputs:
            if tensor.shape is not None and UNKNOWN in tensor.shape[1:]:
                diagnosis.remarks.append(f"input {tensor.describe()} has open dimensions besides its rows")
    for ops in inspection.ops.values():
        for op, count in ops.items():
            diagnosis.ops[op] = max(count, diagnosis.ops.get(op, 0))
    if inspection.slot_variables:
        diagnosis.repairs.append(f"remove {inspection.slot_variables} optimizer slots, which TensorFlow cannot load")
    if any(op in diagnosis.ops for op in _LIST_OPS):
        diagnosis.repairs.append(
            "recurrent layers: convert for lists of one row, if TensorFlow's converter asks for it"
        )
    if any(op in diagnosis.ops for op in _LOOP_OPS):
        diagnosis.remarks.append("it has loops: TensorFlow's own quantizer makes int8, and crashes on some loops")
    if any(op in diagnosis.ops for op in _STATE_OPS):
        diagnosis.remarks.append("it keeps state: each request starts from the state that was saved")
