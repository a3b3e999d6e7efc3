"""The daemon. Two paths, in the order of their folders.

request: listener -> dispatch (lease an instance) -> runtime or isolation -> reply
model:   folder -> loader (store -> probe -> runtime) -> swap -> dispatch

Owns: one process that serves models; ``app`` wires its two paths. Never: imports of ``mmclient`` or ``mmconvert``.
"""

__version__ = "0.1.0"
