"""From a file in the folder to a version that serves.

reconciler (a look) -> comparison -> decision -> StartLoad -> arrival (intake -> trial -> runtime)
reconciler (a result) -> comparison -> ending -> Publish -> swap

Owns: the reconciler's thread, the loader threads, the monitor over the registry. Never: a request.
"""
