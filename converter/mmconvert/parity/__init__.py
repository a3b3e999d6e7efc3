"""How equal a converted model is to the original: rows to compare on, figures, limits."""
