"""Makes jobs happen: submit, scheduler, worker, runner, control, live feed; one maintenance duty per file."""
