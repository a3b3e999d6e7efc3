"""Confines the processes that the daemon starts for models.

Owns: their environment, the privileges that they give up, the signs of too little memory.
Never: starting a process, the limits of each.
"""
