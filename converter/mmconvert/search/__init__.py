"""The search for the best form of a model that is still equal enough to the original."""
