"""What the jobs on a worker say, kept on its disk until the storage has it."""
