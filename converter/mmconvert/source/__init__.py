"""The input: a SavedModel folder, the content of its file, and the repairs in a copy.

Owns: reading a SavedModel without TensorFlow, its signatures and labels, what a copy must have mended.
Never: a write into the user's folder, a call of TensorFlow.
"""
