"""Reading a mailbox from a sequence on; the page is read on a worker thread."""

from __future__ import annotations

import logging

from im_protocol import codes
from im_protocol.codec import Frame, decode_body
from im_protocol.packets import SyncRequest, Type
from im_server.connection import Connection, Phase
from im_server.core import Core, Handler
from im_server.store.mailbox import message_id_at, read_mailbox

log = logging.getLogger(__name__)


def sync(core: Core, conn: Connection, frame: Frame) -> None:
    request = decode_body(frame, SyncRequest)
    core.workers.submit(lambda: _read(core, conn, frame.request_id, request))


def _read(core: Core, conn: Connection, request_id: int, request: SyncRequest) -> None:
    if conn.phase is not Phase.OPEN:
        return
    after = request.after_sequence
    try:
        if not _is_known(core, conn.member_id, request):
            log.critical(
                "a device of member %d knows message %d, and this server does not have it: was an older copy of the "
                "data folder put back? Members are told; their devices send again what they still have.",
                conn.member_id,
                after,
            )
            conn.refuse(request_id, codes.MAILBOX_CHANGED, "The mailbox is not the one that you know. Read it from 0.")
            return
        page = read_mailbox(conn.member_id, after)
    except Exception:
        conn.refuse(request_id, codes.SERVER_ERROR, "The messages could not be read; try again later.")
        raise
    conn.answer(request_id, Type.SYNC_RESULT, page)


def _is_known(core: Core, member_id: int, request: SyncRequest) -> bool:
    """Whether the entry that the device has last is in the mailbox, and is the same."""
    after = request.after_sequence
    if not after:
        return True
    if after > core.writer.mailboxes.last.get(member_id, 0):
        return False
    there = message_id_at(member_id, after) if request.message_id else b""
    return not there or there == request.message_id


HANDLERS: dict[int, Handler] = {Type.SYNC_REQUEST: sync}
