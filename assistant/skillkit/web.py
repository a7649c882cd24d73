"""A skill's way to the network: an HTTP client that asks the assistant to send what the manifest allows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from assistant.errors import Rejected

if TYPE_CHECKING:
    import httpx

_REFUSED = "assistant-refused"
_SKILL = "ASSISTANT_SKILL"


def web_client(**options: Any) -> httpx.AsyncClient:
    """An `httpx.AsyncClient`, with its options. Use it as `async with web_client() as web:`.

    Hosts are those of `permissions.network`. A header may hold `{{secret:NAME}}`: the assistant puts the value in,
    for the hosts named beside it in `permissions.secrets` and over https alone. What is refused raises Rejected.
    """
    import httpx

    class Through(httpx.AsyncBaseTransport):
        """Hands requests whole, `https://` and all, to the assistant's proxy, which sends them."""

        def __init__(self, socket: str) -> None:
            self._inner = httpx.AsyncHTTPTransport(uds=socket)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            target = str(request.url).partition("#")[0].encode("ascii")
            handed = httpx.Request(
                request.method,
                request.url.copy_with(scheme="http"),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "target": target},
            )
            answer = await self._inner.handle_async_request(handed)
            if reason := answer.headers.get(_REFUSED):
                await answer.aclose()
                place = request.url.netloc.decode("ascii")
                raise Rejected(f"skillkit.refused_place.{reason}", place=place, skill=os.environ.get(_SKILL, ""))
            return answer

        async def aclose(self) -> None:
            await self._inner.aclose()

    class Nowhere(httpx.AsyncBaseTransport):
        """There is no proxy: the manifest names no host, or this computer can't contain a skill that has a network."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise Rejected("skillkit.refused_place.no_network")

    socket = os.environ.get("ASSISTANT_PROXY")
    return httpx.AsyncClient(transport=Through(socket) if socket else Nowhere(), trust_env=False, **options)
