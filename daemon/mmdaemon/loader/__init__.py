"""From a file in the folder to a loaded version: the reconciler decides what is due, arrivals bring it up.

Owns: the reconciler's thread, the loader threads, the monitor over the registry. Never: a request.
"""
