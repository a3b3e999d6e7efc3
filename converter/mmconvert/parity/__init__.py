"""Is the converted model equal enough to the original: rows to ask with, figures, limits."""
