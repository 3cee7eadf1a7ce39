"""Clients of `nestrec serve`: `Client`, and `AsyncClient` for asyncio. They need the extra `client`."""

from nestrec.client.asynchronous import AsyncClient as AsyncClient
from nestrec.client.synchronous import Client as Client
