"""The REST API and its live events: one file per resource. It translates HTTP and owns no logic."""
