"""Tries models where they can do no harm: in a helper process, with a child of it for each trial.

loader thread -> Probe -> (socket) -> helper -> fork -> trial -> (pipe) -> helper -> (pipe) -> loader thread

Owns: the life of the helper, the limits of a trial, the reason why a trial died.
Never: a model loaded in the daemon, a fork of the daemon, which has threads.
"""
