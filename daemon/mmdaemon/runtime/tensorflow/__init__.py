"""Full TensorFlow: runs a SavedModel as traced functions.

Owns: the device, the traces, XLA, the reset of variables, the meaning of TensorFlow's errors.
Never: the daemon's own process. Only a process that hosts one model loads TensorFlow.
"""
