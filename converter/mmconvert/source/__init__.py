"""The input: a SavedModel folder, what its file says, and what has to be mended in a copy."""
