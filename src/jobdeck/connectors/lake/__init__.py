"""The lake: versioned Delta tables in the project's part of the object storage."""
