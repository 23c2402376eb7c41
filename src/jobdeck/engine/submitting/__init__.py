"""How a request becomes a job: checked, worked out, named, and written in one transaction."""
