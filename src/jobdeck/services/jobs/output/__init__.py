"""What a job has written for people: its log and the rows that it rejected."""
