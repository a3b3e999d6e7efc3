"""The configuration: one schema, read from defaults, a file, the environment and flags, in this order.

Owns: keys, defaults, ranges, the errors of a bad one. Never: anything that a value is used for.
"""
