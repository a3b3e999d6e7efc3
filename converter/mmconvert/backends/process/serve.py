"""The child's side: reads one JSON request from each line, does that step, and writes one JSON reply.

It goes on until the parent closes the pipe.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from mmconvert.backends.process.death import out_of_memory
from mmconvert.backends.process.limit import apply_limits
from mmwire.errors import MmError

Step = Callable[[dict[str, Any]], dict[str, Any]]
Explain = Callable[[str, BaseException], MmError]


def serve(steps: Mapping[str, Step], explain: Explain) -> None:
    """Do the steps that the parent asks for.

    Args:
        steps: By name; each takes the fields of a request and returns those of the reply.
        explain: Turns an exception of a step into the error that the user sees.
    """
    memory_bytes, cpu_s, parent_pid = (int(argument) for argument in sys.argv[1:4])
    apply_limits(memory_bytes, cpu_s, parent_pid)
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print on stdout joins their warnings on stderr
    for line in sys.stdin:
        request = json.loads(line)
        name = request.pop("step")
        reply: dict[str, Any]
        try:
            reply = {"ok": steps[name](request)}
        except MmError as error:
            reply = {"error": error.as_dict()}
        except MemoryError:
            reply = {"error": out_of_memory(name).as_dict()}
        except Exception as error:
            reply = {"error": explain(name, error).as_dict()}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
