"""Where files are: on the server within a budget, or in a bucket; what folders say by their names."""
