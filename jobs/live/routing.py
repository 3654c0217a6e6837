"""The WebSocket paths."""

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import path, re_path

from jobs.live.consumer import LiveConsumer


class NothingHere(AsyncWebsocketConsumer):
    """Refuses whoever asks for an address that is none."""

    async def connect(self) -> None:
        await self.close()


websocket = URLRouter([path("ws/live/", LiveConsumer.as_asgi()), re_path("", NothingHere.as_asgi())])
