"""The search for the best form of a model that is still equal enough to the original.

Owns: which candidates are tried, their scores and ranking, the choice and its reason.
Never: the rows held out, publishing.
"""
