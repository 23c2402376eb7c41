"""How assigned jobs run: worker, execution, steps, what is asked of them, records and logs, leases renewed."""
