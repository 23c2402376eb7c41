"""Filters and columns kept under a name."""
