"""The input: a SavedModel folder, the content of its file, and the repairs in a copy."""
