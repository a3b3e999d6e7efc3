"""The forms that a model may take: recipes, and the candidate files that are made by them."""
