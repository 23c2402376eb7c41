"""The requests and responses of the REST API as typed values, shared by the server and the Python client.

Requests refuse fields they do not know, so that a misspelt one is told and not ignored. Responses take fields they do
not know, so that an older client works with a newer server."""
