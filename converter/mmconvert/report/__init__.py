"""The report: everything that was found about a conversion, as one page that needs no network."""
