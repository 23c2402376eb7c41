"""Small loops that the leading scheduler runs beside its own; one duty per file."""
