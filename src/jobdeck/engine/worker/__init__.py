"""How assigned jobs run: worker, runner, steps, what is asked of them, records and logs, leases renewed."""
