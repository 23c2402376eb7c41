"""What jobs work with: files, tables, connections, configurations."""
