"""What happens to a job: its states, what may be asked of it, each change as a value, why it waits, how far it is."""
