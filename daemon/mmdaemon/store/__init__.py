"""The daemon's private copy of every model, by content, and what the daemon remembers of each.

Layout: ``blobs/SHA256``, ``names/NAME.json``, ``verdicts/KEY.json`` (trial results), ``tmp/``, ``lock``. Folders have
    mode 0700, blobs 0400.

Owns: copies and hashes of users' files, writes that a power cut leaves old or new, the bytes that serve.
Never: serving from a user's file, the decision which version serves, running a model.
"""
