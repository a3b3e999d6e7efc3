"""The work of a trial: it runs a model on made-up inputs, replays its goldens, and measures whether batches pay.

Owns: made-up inputs, the facts and traits of a model, the comparison with its goldens.
Never: the process that a trial runs in and its limits, which ``probe`` and ``isolation`` own.
"""
