"""Signing in: the password is checked on a worker thread, the session begins on the connection's own."""

from __future__ import annotations

import math
import time

from im_protocol import codes, limits
from im_protocol.codec import Frame, decode_body
from im_protocol.packets import SignedIn, SignIn, Type
from im_protocol.states import State
from im_server.connection import Connection, Phase
from im_server.core import Core, Handler
from im_server.store.members import password_hash_of


def sign_in(core: Core, conn: Connection, frame: Frame) -> None:
    request = decode_body(frame, SignIn)
    wait = core.throttle.wait_seconds(request.member_id, conn.address, conn.io.now)
    if wait > 0:
        core.set_state(conn, State.GREETED)
        text = f"Too many wrong passwords from your address; wait {math.ceil(wait)} seconds."
        conn.refuse(frame.request_id, codes.RATE_LIMITED, text, math.ceil(wait * 1_000))
        return
    conn.deadline += core.settings.sign_in_seconds_max  # the peer was in time; the check may wait behind others
    core.password_workers.submit(lambda: _check(core, conn, frame.request_id, request))


def _check(core: Core, conn: Connection, request_id: int, request: SignIn) -> None:
    """On a worker thread."""
    if conn.phase is not Phase.OPEN:
        return
    try:
        stored = password_hash_of(request.member_id)
        right = core.passwords.is_right(stored, request.password)
    except Exception:
        conn.io.call(lambda: _fail(core, conn, request_id))
        raise
    if right:
        conn.io.call(lambda: _begin(core, conn, request_id, request))
    else:
        known = stored is not None
        conn.io.call(lambda: _refuse(core, conn, request_id, request.member_id, known))


def _fail(core: Core, conn: Connection, request_id: int) -> None:
    core.set_state(conn, State.GREETED)
    conn.refuse(request_id, codes.SERVER_ERROR, "The password could not be checked; try again.")


def _refuse(core: Core, conn: Connection, request_id: int, member_id: int, known: bool) -> None:
    core.throttle.failed(member_id, conn.address, conn.io.now)
    core.set_state(conn, State.GREETED)
    if known:
        conn.refuse(request_id, codes.WRONG_PASSWORD, "The password is wrong.")
    else:
        conn.refuse(request_id, codes.UNKNOWN_MEMBER, f"There is no member {member_id} on this server.")


def _begin(core: Core, conn: Connection, request_id: int, request: SignIn) -> None:
    """On the connection's I/O thread: from here on pushes reach it, and they follow this answer."""
    member = core.directory.members.get(request.member_id)
    if conn.phase is not Phase.OPEN or member is None:
        return
    core.throttle.succeeded(member.id, conn.address)
    core.signed_in(conn)
    conn.member_id = member.id
    conn.device_id = request.device_id
    conn.device_name = request.device_name
    conn.deadline = 0.0
    conn.reader.body_bytes_max = limits.BODY_BYTES_MAX
    core.set_state(conn, State.SIGNED_IN)
    for old in core.sessions.add(conn, request.presence):
        old.io.call(lambda old=old: _replace(old))  # type: ignore[misc]
    last = core.writer.mailboxes.last.get(member.id, 0)
    conn.answer(request_id, Type.SIGNED_IN, SignedIn(member.id, member.name, last, time.time_ns() // 1_000_000))
    core.presence.member_changed(member.id)


def _replace(old: Connection) -> None:
    old.refuse(0, codes.SIGNED_IN_ELSEWHERE, "This device signed in again on another connection.")
    old.io.close_after_flush(old)


HANDLERS: dict[int, Handler] = {Type.SIGN_IN: sign_in}
