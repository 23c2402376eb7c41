"""Jobs as rows: new ones, their transitions, and their removal."""
