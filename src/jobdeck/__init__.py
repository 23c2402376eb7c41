"""Jobdeck: the job center for data platforms."""
