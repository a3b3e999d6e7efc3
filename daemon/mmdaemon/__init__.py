"""The daemon. Two paths, in the order of their folders.

request: listener -> scheduler -> pool (lease an instance) -> runtime -> reply
model:   folder -> store -> probe -> registry -> loader -> swap
"""

__version__ = "0.1.0"
