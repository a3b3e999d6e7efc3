"""The contract between daemon, client and converter.

Owns: bytes on the socket, names and files of a model folder, what is inside a ``.tflite``, error codes.
Never: I/O, threads, numpy. Standard library only.
"""
