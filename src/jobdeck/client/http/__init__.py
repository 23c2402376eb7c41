"""How the client speaks to a server: requests and answers, live streams, downloads."""
