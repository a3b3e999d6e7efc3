"""The daemon as a service: its life, signals, what systemd and ``mmctl`` are told.

Owns: start, reload, drain, the exit status, the ADMIN verbs. Never: a model or a request.
"""
