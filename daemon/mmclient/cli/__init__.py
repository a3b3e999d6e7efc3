"""The command ``mmctl``: one file per verb.

Owns: files and arguments in, text and JSON out, exit statuses. Never: the wire, which is ``mmclient.Client``'s.
"""
