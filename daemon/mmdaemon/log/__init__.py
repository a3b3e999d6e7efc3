"""The daemon's log: one line for each event, for people or for the journal.

Owns: the form of a line, its fields, the way into the journal. Never: a decision.
"""
