"""What is around the jobs: projects, tokens, limits, pauses, workers, job types, sessions."""
