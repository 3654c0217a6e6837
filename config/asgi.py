"""The web process: pages and API over HTTP, live events over WebSocket."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if not settings.configured:
    # Before the settings are read, as they decide by it how connections are held.
    os.environ.setdefault("SLOTCAST_PROCESS", "web")
http = get_asgi_application()

# Only now are the models loaded that these need.
from channels.routing import ProtocolTypeRouter  # noqa: E402

from jobs.live.routing import websocket  # noqa: E402

application = ProtocolTypeRouter({"http": http, "websocket": websocket})
