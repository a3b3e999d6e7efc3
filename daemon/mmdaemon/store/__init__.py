"""The daemon's private, content-addressed copy of every model, and what it remembers about each.

Layout: ``blobs/SHA256``, ``names/NAME.json``, ``verdicts/KEY.json``, ``tmp/``, ``lock``; folders 0700, blobs 0400.

Owns: copying and hashing a user's file, publishing so that a power cut leaves old or new, the bytes that are served.
Never: serving from a user's file, deciding which version serves, running a model.
"""
