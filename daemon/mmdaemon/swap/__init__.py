"""Changing what serves: publish beside the old, retire the old, tell the registry.

Owns: the order of these steps. Never: loading, files.
"""
