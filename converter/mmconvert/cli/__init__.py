"""The command ``mmconvert``, a file for each of its forms.

Owns: arguments, help texts, text and JSON on the terminal, exit statuses. Never: a step of a conversion.
"""
