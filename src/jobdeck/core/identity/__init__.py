"""Who acts, by which name, and what is kept from everybody else."""
