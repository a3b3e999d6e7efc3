"""Which form of the float model is the best one that is still equal enough: candidates, figures, choice."""
