"""Jobs: one, a list, or a whole selection."""
