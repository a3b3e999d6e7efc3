"""A daemon for the tests of applications: ``from mmclient.testing import FakeDaemon, FakeModel``.

Owns: a server on a real Unix socket that speaks the real protocol, models that are Python functions, and faults.
Never: imports of the client, of ``mmdaemon`` or of a runtime; the client never imports this package.
"""

from mmclient.testing.daemon import FakeDaemon
from mmclient.testing.fault import drop, ignore, refuse
from mmclient.testing.model import FakeModel
from mmwire.tensor import SignatureSpec, TensorSpec

__all__ = ["FakeDaemon", "FakeModel", "SignatureSpec", "TensorSpec", "drop", "ignore", "refuse"]
