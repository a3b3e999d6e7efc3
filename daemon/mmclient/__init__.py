"""The client library: ``from mmclient import Client``; and the command ``mmctl`` in ``mmclient.cli``.

Owns: connections to a daemon, the conversion of arrays to and from a model's tensors, retries inside a deadline.
Never: imports of ``mmdaemon`` or of a runtime. The first prediction loads numpy; importing this package does not.
"""

from mmclient.answer import Answer
from mmclient.client import Client
from mmwire.errors import MmError

__all__ = ["Answer", "Client", "MmError"]
