"""The forms that a model may take: recipes, and the candidate files that are made by them.

Owns: the named recipes, the file of each candidate or the reason why there is none.
Never: the question whether a candidate is good enough, or better than another.
"""
