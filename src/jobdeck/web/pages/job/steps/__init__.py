"""Steps and tasks of a job, and when each ran."""
