"""``Client``: an application's access to a daemon."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from mmclient.link import Link
from mmclient.pool import Pool
from mmclient.retry import Retry
from mmwire.errors import MmError, RequestError
from mmwire.message import Opened

if TYPE_CHECKING:
    from mmclient.answer import Answer
    from mmclient.array import Array

_T = TypeVar("_T")


class Client:
    """Asks a daemon for predictions and for what it knows of its models.

    Args:
        socket_path: Default: ``MM_SOCKET``, else the first of ``$XDG_RUNTIME_DIR/mmdaemon.sock``,
            ``/run/mmdaemon.sock``, ``/tmp/mmdaemon-$UID/mmdaemon.sock`` that exists.
        timeout: Seconds that a call may take; each call may set its own.

    The client connects at the first call. When a connection breaks before the answer, the client sends the request
    again inside its deadline.

    Raises:
        MmError: By every call; ``code``, ``message``, ``hint`` and ``retryable`` say what happened.

    Thread: any, also after ``fork``. Threads that call at the same time use a connection each.
    """

    def __init__(self, socket_path: str | os.PathLike[str] | None = None, *, timeout: float = 30.0) -> None:
        self._timeout_s = _seconds(timeout)
        self._socket_path = socket_path
        self._pool = Pool(socket_path)

    def __repr__(self) -> str:
        return f"Client({self._socket_path!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; later calls raise ``CLIENT_CLOSED``."""
        self._pool.close()

    def predict(
        self,
        name: str,
        x: Any,
        *,
        signature: str = "",
        dequantize: bool = False,
        version: int | None = None,
        timeout: float | None = None,
    ) -> dict[str, Array]:
        """Run a model and return its outputs by name.

        Args:
            name: The model's name.
            x: The array of the only input, or ``{input name: array}``. An array of the model's dtype goes as it is;
                floats are quantized for a quantized input.
            signature: Default: the model's first.
            dequantize: Return real values (float32) for quantized outputs instead of the stored integers.
            version: Fail if another version answers.
            timeout: Seconds; default: the client's.

        Returns:
            Arrays in the model's dtypes, writable and owned by the caller.

        Shape: With the leading rows dimension, in and out.

        Raises:
            RequestError: ``BAD_TENSOR`` before anything is sent, ``MODEL_NOT_FOUND``, ``VERSION_NOT_SERVED`` ...
            CapacityError: ``QUEUE_FULL`` at once; ``MODEL_LOADING`` when the model still loads at the deadline.
            ClientError: ``DAEMON_UNREACHABLE``, ``TIMEOUT``, ``CONNECTION_LOST``.
        """
        # Written out here: the callback of ``_perform`` costs half a microsecond, and this is the hot path.
        timeout_s = self._timeout_s if timeout is None else _seconds(timeout)
        deadline = time.monotonic() + timeout_s
        pool = self._pool
        retry: Retry | None = None
        while True:
            link = None
            try:
                link = pool.take() or pool.connect(deadline)
                binding = link.bindings.get((name, signature, version)) or link.open(name, signature, version, deadline)
                outputs = binding.run(x, timeout_s, deadline)
                return binding.dequantize(outputs) if dequantize else outputs
            except MmError as error:
                failure = error
            finally:
                if link is not None:
                    pool.give(link)
            retry = retry or Retry(deadline)
            timeout_s = self._wait(retry, failure, deadline)

    def ask(
        self,
        name: str,
        x: Any,
        *,
        signature: str = "",
        dequantize: bool = False,
        version: int | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Run a model as ``predict`` does and return its outputs with the version and the times behind them."""

        def run(link: Link, timeout_s: float, deadline: float) -> Answer:
            binding = link.open(name, signature, version, deadline)
            outputs = binding.run(x, timeout_s, deadline)
            return binding.answer(binding.dequantize(outputs) if dequantize else outputs)

        return self._perform(run, timeout)

    def predict_many(
        self,
        name: str,
        rows: Iterable[Any],
        *,
        signature: str = "",
        dequantize: bool = False,
        version: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[dict[str, Array]]:
        """Run a model over many rows and yield the outputs of each, in order, with bounded memory.

        Args:
            name: Of the model.
            rows: One row after the other: an array without the leading dimension or with one of 1, or
                ``{input name: row}``; or an array whose first axis is rows; or ``{input name: such an array}``.
            signature: Default: the model's first.
            dequantize: As ``predict``.
            version: As ``predict``.
            timeout: Seconds for each row, counted from when it is sent; waiting for a full queue counts too.

        Shape: As the row: without a leading dimension where the row had none.

        Raises:
            MmError: A row failed; the outputs of the rows before it were yielded.
        """
        for answer in self.ask_many(
            name, rows, signature=signature, dequantize=dequantize, version=version, timeout=timeout
        ):
            yield answer.outputs

    def ask_many(
        self,
        name: str,
        rows: Iterable[Any],
        *,
        signature: str = "",
        dequantize: bool = False,
        version: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[Answer]:
        """Run a model as ``predict_many`` does and yield each row with the version and the times behind it."""
        from mmclient.stream import Stream  # loads numpy

        timeout_s = self._timeout_s if timeout is None else _seconds(timeout)
        stream = Stream(self._pool, (name, signature, version), dequantize, timeout_s)
        try:
            yield from stream.run(rows)
        finally:
            stream.close()

    def open(
        self, name: str, *, signature: str = "", version: int | None = None, timeout: float | None = None
    ) -> Opened:
        """Return a signature's tensors, the version that serves, and the image mean and scale."""

        def run(link: Link, timeout_s: float, deadline: float) -> Opened:
            return link.open(name, signature, version, deadline).opened

        return self._perform(run, timeout)

    def models(self, *, timeout: float | None = None) -> list[dict[str, Any]]:
        """Return every model that the daemon knows, as ``mmctl ls --json`` does."""
        document = self._admin("ls", {}, timeout)
        models: list[dict[str, Any]] = document.get("models", [])
        return models

    def show(self, name: str, *, timeout: float | None = None) -> dict[str, Any]:
        """Return one model with its tensors, labels and options."""
        return self._admin("show", {"model": name}, timeout)

    def ps(self, *, timeout: float | None = None) -> dict[str, Any]:
        """Return the instances, queue and counts of each loaded model."""
        return self._admin("ps", {}, timeout)

    def status(self, *, timeout: float | None = None) -> dict[str, Any]:
        """Return the state of the daemon itself."""
        return self._admin("status", {}, timeout)

    def wait(
        self, name: str, version: int | None = None, sha256: str | None = None, *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Return the model once the newest file of its name serves, or that version or hash.

        The client waits for the daemon too, if that is still starting.

        Raises:
            RequestError: ``MODEL_QUARANTINED``: the model cannot be served; the message has the reason.
            CapacityError: ``DEADLINE_EXCEEDED``: the model does not serve within the timeout.
            ClientError: ``DAEMON_UNREACHABLE``: no daemon answered within the timeout.
        """
        arguments: dict[str, Any] = {"model": name}
        if version is not None:
            arguments["version"] = version
        if sha256 is not None:
            arguments["sha256"] = sha256
        return self._admin("wait", arguments, timeout, awaits_daemon=True)

    def load(self, name: str, *, timeout: float | None = None) -> dict[str, Any]:
        """Serve a model again after ``unload``, or retry one that was refused; return it once it serves."""
        return self._admin("load", {"model": name}, timeout)

    def unload(self, name: str, *, timeout: float | None = None) -> dict[str, Any]:
        """Take a model out of memory, and refuse its requests until ``load``; return it."""
        return self._admin("unload", {"model": name}, timeout)

    def _admin(
        self, verb: str, arguments: dict[str, Any], timeout: float | None, *, awaits_daemon: bool = False
    ) -> dict[str, Any]:
        def run(link: Link, timeout_s: float, deadline: float) -> dict[str, Any]:
            return link.admin(verb, arguments, deadline)

        return self._perform(run, timeout, awaits_daemon=awaits_daemon)

    def _perform(
        self, run: Callable[[Link, float, float], _T], timeout: float | None, *, awaits_daemon: bool = False
    ) -> _T:
        """Run something on a connection, and run it again while its failures allow that."""
        timeout_s = self._timeout_s if timeout is None else _seconds(timeout)
        deadline = time.monotonic() + timeout_s
        retry = Retry(deadline, awaits_daemon=awaits_daemon)
        while True:
            link = None
            try:
                link = self._pool.take() or self._pool.connect(deadline)
                return run(link, timeout_s, deadline)
            except MmError as error:
                failure = error
            finally:
                if link is not None:
                    self._pool.give(link)
            timeout_s = self._wait(retry, failure, deadline)

    def _wait(self, retry: Retry, failure: MmError, deadline: float) -> float:
        """Wait until a failed request should go out again; return the seconds that are left for it."""
        if failure.code == "CONNECTION_LOST":
            self._pool.forget()
        retry.after(failure, self._pool.was_connected)
        return max(deadline - time.monotonic(), 1e-3)


def _seconds(timeout: float) -> float:
    """Return a timeout unchanged.

    Raises:
        RequestError: ``BAD_REQUEST``: not a positive number of seconds.
    """
    if not isinstance(timeout, (int, float)) or not 0 < timeout < math.inf:
        raise RequestError("BAD_REQUEST", f"timeout: expected a positive number of seconds, got {timeout!r}")
    return timeout
