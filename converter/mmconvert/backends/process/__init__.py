"""The child process itself, whichever library it hosts.

Owns: its start, its limits, its requests and replies, its end and the reason for it.
Never: a model, an import of TensorFlow or LiteRT.
"""
