"""How equal a converted model is to the original.

Owns: made-up rows to compare on, the figures of a difference, the limits that a model must keep, intervals.
Never: running a model, choosing among candidates.
"""
