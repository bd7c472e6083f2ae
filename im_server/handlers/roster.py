"""The roster, page by page."""

from __future__ import annotations

from im_protocol.codec import Frame, decode_request
from im_protocol.packets import RosterRequest, Type
from im_server.connection import Connection
from im_server.core import Core, Handler


def roster(core: Core, conn: Connection, frame: Frame) -> None:
    request = decode_request(frame, RosterRequest)
    page = core.directory.page(conn.member_id, request.after, core.sessions.presence_of, core.presence.billers_presence)
    conn.answer(frame.request_id, Type.ROSTER, page)


HANDLERS: dict[int, Handler] = {Type.ROSTER_REQUEST: roster}
