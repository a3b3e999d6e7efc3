"""The command ``mmctl``: one file per verb.

Owns: reading files and arguments, printing text and JSON, exit statuses. Never: the wire, which ``mmclient.Client``
owns.
"""
