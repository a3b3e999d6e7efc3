"""The report: all findings about a conversion, as one page that needs no network."""
