"""The fake daemon: listens, and answers frames."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mmclient.testing.fault import Fault
from mmclient.testing.model import FakeModel
from mmclient.testing.peer import Peer
from mmclient.testing.verb import answer, find
from mmwire import message
from mmwire.errors import CapacityError, MmError, RequestError
from mmwire.frame import FLAG_SHAPED, Frame, FrameType
from mmwire.message import Hello, Opened, ResultHead
from mmwire.tensor import SignatureSpec, rows_in

_MAX_HANDLES = 1024  # as in daemons that do not let old handles go yet


class FakeDaemon:
    """Serves models that are Python functions, on a Unix socket, with the daemon's own protocol.

    Use it in a ``with`` block: it listens inside the block.

    Args:
        models: The models that it serves.
        socket_path: Where it listens. Default: a socket in a temporary folder, which goes at the end of the block.

    Attributes:
        path: Where it listens: give it to ``Client``, or to the application as ``MM_SOCKET``.
        models: The models by name. A test may add, replace and remove some at any time.

    Thread: any. Each client has a thread of its own, which calls ``compute``.
    """

    def __init__(self, models: Iterable[FakeModel], socket_path: str | os.PathLike[str] | None = None) -> None:
        self._folder = "" if socket_path else tempfile.mkdtemp(prefix="mm-fake-")
        self.path = os.fspath(socket_path) if socket_path else f"{self._folder}/s"
        self.models = {model.name: model for model in models}
        self.max_payload_bytes = 1 << 26
        self.peers: list[Peer] = []
        self._faults: deque[Fault] = deque()

    def start(self) -> None:
        """Listen again after ``stop``, as a daemon that was restarted."""
        Path(self.path).unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(self.path)
        self._listening.listen(64)
        self._thread = threading.Thread(target=self._accept, args=(self._listening,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and break every connection."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for peer in self.peers:
            peer.drop()
        Path(self.path).unlink(missing_ok=True)

    def __enter__(self) -> FakeDaemon:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._folder:
            shutil.rmtree(self._folder)

    def fail_next(self, *faults: Fault) -> None:
        """Let the next predictions fail, one for each fault.

        Args:
            faults: ``refuse(error)`` answers with that error, ``drop`` breaks the connection, ``ignore`` never answers.
                The client sends a request again after a broken connection, so the next fault meets the second try.
        """
        self._faults.extend(faults)

    def _on_frame(self, peer: Peer, frame: Frame) -> None:
        """Answer a frame, or let it fail."""
        if frame.type is FrameType.INFER and (fault := self._next_fault()) is not None and fault(peer, frame):
            return
        try:
            match frame.type:
                case FrameType.HELLO:
                    peer.send(message.hello(Hello("fake", 1 << 16, self.max_payload_bytes)))
                case FrameType.OPEN:
                    self._open(peer, frame)
                case FrameType.INFER:
                    self._infer(peer, frame)
                case FrameType.ADMIN:
                    peer.send(message.admin_result(frame.request_id, self._on_verb(*message.read_admin(frame))))
        except MmError as error:
            peer.send(message.error(frame.request_id, error))

    def _on_verb(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to an ADMIN verb."""
        return answer(self.models, verb, arguments)

    def _next_fault(self) -> Fault | None:
        try:
            return self._faults.popleft()
        except IndexError:
            return None

    def _open(self, peer: Peer, frame: Frame) -> None:
        wanted = message.read_open(frame)
        if len(peer.handles) >= _MAX_HANDLES:
            raise RequestError("BAD_REQUEST", f"a connection opens at most {_MAX_HANDLES} handles", "reuse them")
        model = find(self.models, wanted.model)
        model.require_ready()
        if wanted.version not in (0, model.version):
            raise RequestError("VERSION_NOT_SERVED", f"version {wanted.version} does not serve")
        if wanted.signature not in ("", model.spec.name):
            raise RequestError("SIGNATURE_NOT_FOUND", f"no signature {wanted.signature!r}")
        handle = len(peer.handles) + 1
        peer.handles[handle] = (model.name, model.spec)
        peer.send(message.opened(frame.request_id, handle, Opened(model.name, model.version, model.spec, *model.image)))

    def _infer(self, peer: Peer, frame: Frame) -> None:
        name, spec = peer.handles[frame.handle]
        model = find(self.models, name)
        model.require_ready()
        if spec != model.spec:
            raise CapacityError("SPECS_CHANGED", "other tensors now")
        rows, inputs = _inputs(frame, spec)
        outputs = model.run(inputs)
        given = None if all(tensor.is_static for tensor in spec.outputs) else tuple(array.shape for array in outputs)
        payload = b"".join(array.tobytes() for array in outputs)
        head = ResultHead(model.version, rows, model.queue_us, model.run_us, given)
        peer.sock.sendall(message.result_head(frame.request_id, frame.handle, len(payload), head) + payload)

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer = Peer(listening.accept()[0], self._on_frame)
                self.peers.append(peer)
                peer.start()


def _inputs(frame: Frame, spec: SignatureSpec) -> tuple[int, list[Any]]:
    """Return the number of rows and the arrays of a request."""
    shapes = message.unpack_shapes(frame.meta, len(spec.inputs)) if frame.flags & FLAG_SHAPED else None
    rows = rows_in(spec, len(frame.payload)) if shapes is None else shapes[0][0]
    arrays, position = [], 0
    for index, tensor in enumerate(spec.inputs):
        shape = tensor.with_rows(rows) if shapes is None else shapes[index]
        dtype = np.dtype(tensor.dtype)
        end = position + int(np.prod(shape)) * dtype.itemsize
        arrays.append(np.frombuffer(frame.payload[position:end], dtype).reshape(shape))
        position = end
    return rows, arrays
