"""The pages, a folder each: `page.py` has its routes, and what belongs to the page lies beside it."""
