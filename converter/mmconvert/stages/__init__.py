"""The stages of a conversion, one module each; ``mmconvert.pipeline`` lists them in their order.

Owns: one step each: it takes the conversion so far and returns it with its own findings.
Never: an import of another stage, the order of the stages.
"""
