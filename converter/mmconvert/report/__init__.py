"""The report: all findings about a conversion, as one page.

Owns: the page, its pictures and tables. Never: a measurement, a decision, anything that the page loads from elsewhere.
"""
