"""The nouns around the jobs: a file for each."""
