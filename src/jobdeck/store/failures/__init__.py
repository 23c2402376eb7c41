"""Every time that a job failed: written with the failure, kept as long as the job, grouped by fingerprint."""
