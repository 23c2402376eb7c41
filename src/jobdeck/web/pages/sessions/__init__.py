"""Where somebody is logged in."""
