"""What is typed after a command: options that all take, ids, parameters."""
