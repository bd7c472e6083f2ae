"""One module a feature; each has HANDLERS, from packet type to the function that serves it on an I/O thread."""

from __future__ import annotations

from im_server.core import Handler
from im_server.handlers import admin, chat, greeting, link, orders, people, roster, signing_in, sync

CLIENT: dict[int, Handler] = {
    **greeting.HANDLERS,
    **signing_in.HANDLERS,
    **roster.HANDLERS,
    **people.HANDLERS,
    **chat.HANDLERS,
    **sync.HANDLERS,
    **orders.HANDLERS,
}
LINK = link.HANDLERS
ADMIN = admin.HANDLERS
