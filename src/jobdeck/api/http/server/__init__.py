"""How the server listens: connections with their bounds, the protocol, proxies in front."""
