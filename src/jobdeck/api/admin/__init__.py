"""Around the jobs: projects, tokens, limits, pauses, workers, job types, health."""
