"""The child's side: one JSON document in, one step done, one JSON document out, until the parent closes the pipe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from mmconvert.backends.process.limit import apply_limits
from mmwire.errors import ConvertError, MmError

Step = Callable[[dict[str, Any]], dict[str, Any]]
Explain = Callable[[str, BaseException], MmError]


def serve(steps: Mapping[str, Step], explain: Explain) -> None:
    """Do the steps that the parent asks for.

    Args:
        steps: By name; takes the fields of the request, returns those of the answer.
        explain: Turns what a step raised into the error that the user sees.
    """
    memory_bytes, cpu_s, parent_pid = (int(argument) for argument in sys.argv[1:4])
    apply_limits(memory_bytes, cpu_s, parent_pid)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes where their warnings go
    for line in sys.stdin:
        request = json.loads(line)
        name = request.pop("step")
        answer: dict[str, Any]
        try:
            answer = {"ok": steps[name](request)}
        except MmError as error:
            answer = {"error": error.as_dict()}
        except MemoryError:
            answer = {"error": out_of_memory(name).as_dict()}
        except Exception as error:
            answer = {"error": explain(name, error).as_dict()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def out_of_memory(step: str) -> ConvertError:
    """Return the error of a step that passed its memory limit."""
    return ConvertError(
        "CONVERTER_LIMIT",
        f"the step {step!r} needs more memory than its limit allows",
        "allow more with --memory-limit MB, or convert on a larger machine",
    )
