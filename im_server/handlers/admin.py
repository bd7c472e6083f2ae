"""The operator's commands on the administration socket."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from im_protocol import codes
from im_protocol.admin import CommandReader, result_pages
from im_protocol.codec import Frame
from im_protocol.packets import AdminCommand, Type
from im_server.connection import Connection
from im_server.core import Core, Handler

_readers: WeakKeyDictionary[Connection, CommandReader] = WeakKeyDictionary()


def command(core: Core, conn: Connection, frame: Frame) -> None:
    conn.deadline = 0.0
    wanted = _readers.setdefault(conn, CommandReader()).feed(frame)
    if wanted is None:
        return
    core.admin_workers.submit(lambda: _run(core, conn, frame.request_id, wanted))


def _run(core: Core, conn: Connection, request_id: int, wanted: AdminCommand) -> None:
    try:
        status, out, err = core.admin(wanted)
    except Exception:
        conn.refuse(request_id, codes.SERVER_ERROR, "The command failed; the server's log says why.")
        raise
    for page in result_pages(status, out, err):
        conn.answer(request_id, Type.ADMIN_RESULT, page)


HANDLERS: dict[int, Handler] = {Type.ADMIN_COMMAND: command}
