"""Run one task somewhere and answer with an outcome, never an exception."""
