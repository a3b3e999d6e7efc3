"""Trying a model where it can do no harm: a helper process, and a child of it for each trial.

loader thread -> Probe -> (socket) -> helper -> fork -> trial -> (pipe) -> helper -> (pipe) -> loader thread

Owns: the helper's life, the limits of a trial, telling what killed it.
Never: a model loaded in the daemon, a fork of the threaded daemon.
"""
