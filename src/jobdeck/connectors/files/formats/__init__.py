"""One file a format: how it is read, cut into parts, and typed."""
