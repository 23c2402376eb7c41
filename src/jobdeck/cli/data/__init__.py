"""What a project keeps for its jobs: connections and configurations."""
