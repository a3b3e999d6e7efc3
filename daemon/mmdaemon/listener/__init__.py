"""The socket's side: connections, flow control, frames in and out.

Owns: the listening socket, the threads, each connection's shell around ``mmwire``. Never: which request runs when.
"""
