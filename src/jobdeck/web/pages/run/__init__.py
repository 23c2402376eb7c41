"""Run something: the form that becomes a job."""
