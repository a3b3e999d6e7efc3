"""The one error tree. Every failure a user can meet is an ``MmError`` with a code from ``CODES``.

::

    MmError
      ConfigError      a configuration that cannot be used
      WireError
        LocalWireError   this side used the protocol wrongly: a bug
        RemoteWireError  the peer broke the protocol
      RequestError     the request can never succeed as it is
      CapacityError    the same request may succeed later (always retryable)
      ModelError       a model file that cannot be served; the version before it goes on serving
      InferenceError   the runtime refused to compute
      InternalError    a bug
      ClientError      the daemon could not be asked
      ConvertError     a conversion that was refused
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

EXIT_OK = 0
EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_RETRYABLE = 4
EXIT_BUG = 70  # EX_SOFTWARE in sysexits.h


@dataclass(frozen=True, slots=True)
class Code:
    """The meaning of a code for a program: whether it may try again, and the exit status of a command."""

    meaning: str
    exit_status: int = EXIT_REFUSED
    retryable: bool = False


class MmError(Exception):
    """A failure with a stable code, a sentence for people and, where there is one, the way out.

    Args:
        code: A key of ``CODES``; programs decide by it.
        message: Says what was expected and what came; one line.
        hint: Says what to do about it; one line, or empty.
        retryable: Whether the same request may succeed later. Default: what ``CODES`` says.
    """

    family: ClassVar[dict[str, Code]] = {}

    def __init__(self, code: str, message: str, hint: str = "", retryable: bool | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.retryable = CODES[code].retryable if retryable is None else retryable

    @property
    def exit_status(self) -> int:
        """The exit status of a command that ends with this error."""
        return CODES[self.code].exit_status

    def as_dict(self) -> dict[str, Any]:
        """Return the shape that the wire and ``--json`` use."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
        }

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(MmError):
    """A configuration key, value, path or flag that cannot be used."""

    family: ClassVar[dict[str, Code]] = {
        "CONFIG_INVALID": Code("a key, value or path of the configuration cannot be used", EXIT_USAGE),
        "ALREADY_RUNNING": Code("another daemon answers on this socket", EXIT_REFUSED),
    }


class WireError(MmError):
    """Something on the wire that the protocol does not allow."""


class LocalWireError(WireError):
    """This side used the protocol wrongly: a bug here, never the peer's fault."""

    family: ClassVar[dict[str, Code]] = {
        "PROTOCOL_MISUSE": Code("this side used the protocol wrongly", EXIT_BUG),
    }


class RemoteWireError(WireError):
    """The peer broke the protocol; the connection cannot go on."""

    family: ClassVar[dict[str, Code]] = {
        "BAD_FRAME": Code("the bytes are not a frame of this protocol", EXIT_BUG),
        "FRAME_TOO_LARGE": Code("a frame announces more than the limits allow", EXIT_REFUSED),
        "UNSUPPORTED_PROTOCOL": Code("the peer speaks another version of the protocol", EXIT_REFUSED),
    }


class RequestError(MmError):
    """The caller's fault: the request can never succeed as it is."""

    family: ClassVar[dict[str, Code]] = {
        "MODEL_NOT_FOUND": Code("no model of this name"),
        "MODEL_QUARANTINED": Code("the model is known, and no version of it can be served"),
        "MODEL_UNLOADED": Code("the model was unloaded by its owner"),
        "SIGNATURE_NOT_FOUND": Code("the model has no such signature"),
        "VERSION_NOT_SERVED": Code("the version asked for is not the one that serves"),
        "BAD_TENSOR": Code("a tensor's name, dtype, shape or size differs from the model's"),
        "BAD_REQUEST": Code("the request itself is malformed"),
        "BAD_INPUT": Code("an input file or value cannot be read as a tensor"),
        "CANCELLED": Code("the caller cancelled the request"),
    }


class CapacityError(MmError):
    """Not now: the same request may succeed later."""

    family: ClassVar[dict[str, Code]] = {
        "QUEUE_FULL": Code("the queue of the model or of the connection is full", EXIT_RETRYABLE, True),
        "DEADLINE_EXCEEDED": Code("the deadline passed before an answer", EXIT_RETRYABLE, True),
        "MODEL_LOADING": Code("the model is on its way and does not serve yet", EXIT_RETRYABLE, True),
        "SPECS_CHANGED": Code("the opened handle is out of date; open the model again", EXIT_RETRYABLE, True),
        "DRAINING": Code("the daemon is stopping", EXIT_RETRYABLE, True),
        "INSTANCE_LOST": Code("the process that ran the model ended; another is started", EXIT_RETRYABLE, True),
        "TOO_MANY_CONNECTIONS": Code("the daemon's limit of connections is reached", EXIT_RETRYABLE, True),
    }


class ModelError(MmError):
    """A model file that cannot be served."""

    family: ClassVar[dict[str, Code]] = {
        "MODEL_INVALID": Code("the file is not a model that can be served"),
        "MODEL_CRASHED": Code("the model killed the process that tried it"),
        "MODEL_TOO_SLOW": Code("trying the model took too long; tried again later"),
        "MODEL_TOO_LARGE": Code("trying the model took too much memory; tried again later"),
        "DIGEST_MISMATCH": Code("the bytes differ from the digest recorded for them"),
        "GOLDEN_MISMATCH": Code("this CPU computes something else than was recorded at conversion"),
        "MODEL_UNREADABLE": Code("the daemon may not or cannot read the file"),
        "MODEL_CONFLICT": Code("two layouts claim one model name"),
        "STORE_FAILED": Code("the store could not keep the model; tried again later"),
    }


class InferenceError(MmError):
    """The runtime refused to compute; the text is the runtime's."""

    family: ClassVar[dict[str, Code]] = {
        "INFERENCE_FAILED": Code("the runtime refused to compute"),
        "RUN_TOO_LONG": Code("one invocation took longer than max_run_s"),
    }


class InternalError(MmError):
    """A bug in the daemon; the log has the request id."""

    family: ClassVar[dict[str, Code]] = {"INTERNAL": Code("a bug in the daemon", EXIT_BUG)}


class ClientError(MmError):
    """The daemon could not be asked, or its answer could not be used."""

    family: ClassVar[dict[str, Code]] = {
        "DAEMON_UNREACHABLE": Code("no daemon answers on the socket", EXIT_UNREACHABLE),
        "TIMEOUT": Code("no answer within the caller's timeout", EXIT_RETRYABLE, True),
        "CONNECTION_LOST": Code("the connection broke before the answer", EXIT_RETRYABLE, True),
        "CLIENT_CLOSED": Code("the client was closed", EXIT_REFUSED),
        "USAGE": Code("the command line cannot be understood", EXIT_USAGE),
    }


class ConvertError(MmError):
    """A conversion that was refused; nothing was written."""

    family: ClassVar[dict[str, Code]] = {
        "SAVED_MODEL_INVALID": Code("the input is not a SavedModel that can be converted"),
        "CALIBRATION_MISSING": Code("int8 needs calibration data", EXIT_USAGE),
        "CALIBRATION_INVALID": Code("the calibration data cannot be used"),
        "OP_UNSUPPORTED": Code("an operation has no TFLite form"),
        "CONVERTER_CRASHED": Code("the converter's process was killed by a signal"),
        "CONVERTER_FAILED": Code("TensorFlow's converter refused the model"),
        "CONVERTER_LIMIT": Code("the conversion passed its memory or time limit"),
        "PARITY_FAILED": Code("the converted model is not equal enough to the original"),
        "PUBLISH_FAILED": Code("the result could not be written"),
        "TENSORFLOW_MISSING": Code("the convert extra is not installed", EXIT_USAGE),
    }


def error_text(error: MmError, program: str, *, as_json: bool = False) -> str:
    """Return what a command prints on stderr when it ends with an error.

    Args:
        error: The error.
        program: The name of the command.
        as_json: Print one JSON document instead of lines for people.
    """
    if as_json:
        return json.dumps({"error": error.as_dict()}, ensure_ascii=False)
    return f"{program}: {error.message}" + (f"\nhint: {error.hint}" if error.hint else "")


FAMILIES: tuple[type[MmError], ...] = (
    ConfigError,
    LocalWireError,
    RemoteWireError,
    RequestError,
    CapacityError,
    ModelError,
    InferenceError,
    InternalError,
    ClientError,
    ConvertError,
)
CODES: dict[str, Code] = {code: meaning for cls in FAMILIES for code, meaning in cls.family.items()}
_FAMILY_OF: dict[str, type[MmError]] = {code: cls for cls in FAMILIES for code in cls.family}


def error_from_dict(fields: dict[str, Any]) -> MmError:
    """Rebuild the error that a peer sent; a code from a newer peer becomes ``INTERNAL`` and keeps its text.

    Raises:
        RemoteWireError: The fields are not those of an error.
    """
    code, message = fields.get("code"), fields.get("message")
    hint, retryable = fields.get("hint", ""), fields.get("retryable", False)
    if not (isinstance(code, str) and isinstance(message, str) and isinstance(hint, str)):
        raise RemoteWireError("BAD_FRAME", "an ERROR frame without code, message and hint as text")
    family = _FAMILY_OF.get(code)
    if family is None:
        return InternalError("INTERNAL", f"{code}: {message}", hint, bool(retryable))
    return family(code, message, hint, bool(retryable))
