"""Files: Parquet, CSV, JSON Lines, JSON and NumPy, on the server, in the project's storage or in a bucket."""
