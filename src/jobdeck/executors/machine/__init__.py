"""What tasks need of the machine that they run on: its users and files, and what runs short on it."""
