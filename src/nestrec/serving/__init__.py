"""The server: models over HTTP, as an ASGI application and as `nestrec serve`."""
