"""The side of the socket: connections, flow control, frames in and out.

Owns: the listening socket, the request threads, the shell of each connection around ``mmwire``.
Never: the decision which request runs when.
"""
