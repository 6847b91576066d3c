"""The project over ASGI, with a room of Django Channels to which everybody may speak."""

import os
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'django_shop.settings')

django = get_asgi_application()


class Room(AsyncWebsocketConsumer):
    """Who is in a room hears what is said in it."""

    groups = ('everybody',)

    async def connect(self) -> None:
        self.room = self.scope['url_route']['kwargs']['room']
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.send(text_data=f'welcome to {self.room}')

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room, self.channel_name)
        event = {'type': 'said', 'text': f'somebody has left with {code}'}
        await self.channel_layer.group_send(self.room, event)

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if bytes_data is not None:
            await self.send(bytes_data=bytes_data[::-1])
        elif text_data == 'close':
            await self.close(code=4001, reason='as asked')
        else:
            await self.channel_layer.group_send(self.room, {'type': 'said', 'text': text_data})

    async def said(self, event: Any) -> None:
        await self.send(text_data=event['text'])


application = ProtocolTypeRouter(
    {
        'http': django,
        'websocket': AllowedHostsOriginValidator(
            URLRouter([path('rooms/<str:room>/', Room.as_asgi())])
        ),
    }
)
