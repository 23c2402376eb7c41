"""What jobs work on and with: files, objects, connections, saved parameters."""
