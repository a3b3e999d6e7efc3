"""Running a model in a process of its own: full TensorFlow, or a model whose owner asked for it.

worker thread -> ProcessInstance -> (packet: what to run) -> child -> runtime
                        `---- tensors through shared memory ----'

Owns: the children's life and limits, the memory they share with the daemon, telling what ended them.
Never: TensorFlow in the daemon.
"""
