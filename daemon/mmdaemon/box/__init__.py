"""The box that the daemon runs on: its CPU, the cores and the memory that the daemon may use, and what is installed.

Owns: every look at the hardware, the control groups and the installed packages that a decision elsewhere needs.
Never: the decision, a limit of its own, an import of what it looks for.
"""
