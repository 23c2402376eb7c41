"""What goes wrong, grouped by kind."""
