"""Reading a mailbox from a sequence on; the page is read on a worker thread."""

from __future__ import annotations

from im_protocol import codes
from im_protocol.codec import Frame, decode_body
from im_protocol.packets import SyncRequest, Type
from im_server.connection import Connection, Phase
from im_server.core import Core, Handler
from im_server.store.mailbox import read_mailbox


def sync(core: Core, conn: Connection, frame: Frame) -> None:
    after = decode_body(frame, SyncRequest).after_sequence
    core.workers.submit(lambda: _read(conn, frame.request_id, after))


def _read(conn: Connection, request_id: int, after: int) -> None:
    if conn.phase is not Phase.OPEN:
        return
    try:
        page = read_mailbox(conn.member_id, after)
    except Exception:
        conn.refuse(request_id, codes.SERVER_ERROR, "The messages could not be read; try again later.")
        raise
    conn.answer(request_id, Type.SYNC_RESULT, page)


HANDLERS: dict[int, Handler] = {Type.SYNC_REQUEST: sync}
