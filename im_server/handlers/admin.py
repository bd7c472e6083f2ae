"""The operator's commands on the administration socket."""

from __future__ import annotations

from im_protocol import codes
from im_protocol.codec import Frame, decode_body
from im_protocol.packets import AdminCommand, AdminResult, Type
from im_server.connection import Connection
from im_server.core import Core, Handler


def command(core: Core, conn: Connection, frame: Frame) -> None:
    wanted = decode_body(frame, AdminCommand)
    conn.deadline = 0.0
    core.password_workers.submit(lambda: _run(core, conn, frame.request_id, wanted))


def _run(core: Core, conn: Connection, request_id: int, wanted: AdminCommand) -> None:
    try:
        status, out, err = core.admin(wanted.argv, wanted.stdin)
    except Exception:
        conn.refuse(request_id, codes.SERVER_ERROR, "The command failed; the server's log says why.")
        raise
    conn.answer(request_id, Type.ADMIN_RESULT, AdminResult(status, out, err))


HANDLERS: dict[int, Handler] = {Type.ADMIN_COMMAND: command}
