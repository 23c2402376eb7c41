"""What can be run: one file per job type."""
