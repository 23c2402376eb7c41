"""Which jobs are listed: the address, its filters, and the quick ones."""
