"""How SQL is spoken: connections, transactions with their time and events, many rows at once, wake-up calls."""
