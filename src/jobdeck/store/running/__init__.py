"""Jobs on workers: leases, what a worker is told, and what its attempts write."""
