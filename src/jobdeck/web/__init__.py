"""The pages: server-rendered over the same services as the API, with small scripts where HTML ends."""
