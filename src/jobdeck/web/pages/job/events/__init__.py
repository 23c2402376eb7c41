"""What happened to a job, told in sentences."""
