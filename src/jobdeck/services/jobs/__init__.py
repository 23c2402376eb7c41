"""Jobs: submit, look, operate – one, a list, or a whole selection."""
