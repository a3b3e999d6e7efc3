"""The stages of a conversion, one module each; ``mmconvert.pipeline`` lists them in their order."""
