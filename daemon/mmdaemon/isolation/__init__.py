"""Runs models in processes of their own: full TensorFlow, and models whose options ask for it.

worker thread -> ProcessInstance -> (packet: what to run) -> child -> runtime
                        `---- tensors through shared memory ----'

Owns: the life and the limits of the children, the memory that they share with the daemon, the reason why one ended.
Never: TensorFlow in the daemon.
"""
