"""The command line: one file per noun; everything goes through the Python client."""
