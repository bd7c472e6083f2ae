"""Reading a mailbox from a sequence on; the page is read on a worker thread."""

from __future__ import annotations

import logging
import time

from im_protocol import codes
from im_protocol.codec import Frame, decode_request
from im_protocol.packets import SyncRequest, SyncResult, Type
from im_server.connection import Connection, Phase
from im_server.core import Core, Handler
from im_server.errors import Busy
from im_server.quotas import MemberQuota
from im_server.store.mailbox import message_id_at, read_mailbox

log = logging.getLogger(__name__)


def sync(core: Core, conn: Connection, frame: Frame) -> None:
    request = decode_request(frame, SyncRequest)
    quota = conn.quota
    assert quota is not None  # signed in
    if wait := quota.reading_wait(conn.io.now):
        raise Busy("You read more than this server reads for one member; wait a moment.", wait)
    if not quota.begin_page(core.settings.pages_per_member_max):
        raise Busy("Several pages are being read for you already; wait for them.", 0.2)
    try:
        core.workers.submit(lambda: _read(core, conn, quota, frame.request_id, request))
    except Busy:
        quota.page_read(0.0, conn.io.now)
        raise


def _read(core: Core, conn: Connection, quota: MemberQuota, request_id: int, request: SyncRequest) -> None:
    """On a worker thread. Whatever is in the mailbox, the request is answered."""
    began = time.thread_time()
    try:
        try:
            page = _page(core, conn, request) if conn.phase is Phase.OPEN else None
        finally:
            quota.page_read(
                time.thread_time() - began, time.monotonic()
            )  # before the answer, which may bring the next request at once
        if page is not None:
            conn.answer(request_id, Type.SYNC_RESULT, page)
        else:
            conn.refuse(request_id, codes.MAILBOX_CHANGED, "The mailbox is not the one that you know. Read it from 0.")
    except Exception:
        conn.refuse(request_id, codes.SERVER_ERROR, "The messages could not be read; try again later.", 1_000)
        raise


def _page(core: Core, conn: Connection, request: SyncRequest) -> SyncResult | None:
    """The next page; None where the device knows another mailbox."""
    if _is_known(core, conn.member_id, request):
        return read_mailbox(conn.member_id, request.after_sequence)
    log.critical(
        "a device of member %d knows message %d, and this server does not have it: was an older copy of the "
        "data folder put back? Members are told; their devices send again what they still have.",
        conn.member_id,
        request.after_sequence,
    )
    return None


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
