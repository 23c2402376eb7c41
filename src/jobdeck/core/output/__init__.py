"""What programs print, as people read it."""
