"""Signing in: the password is checked on a worker thread, the session begins on the connection's own."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from functools import partial

from im_protocol import codes, limits
from im_protocol.codec import Frame, decode_request
from im_protocol.packets import SignedIn, SignIn, Type
from im_protocol.states import State
from im_server.connection import Connection, Phase
from im_server.core import Core, Handler
from im_server.errors import Busy
from im_server.passwords import hash_password, is_made
from im_server.store.members import password_hash_of, upgrade_password_hash
from im_server.throttle import Try
from im_server.workers import Workers

_PAUSE_SECONDS = 0.25

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _SignIn:
    """One sign-in on its way through the threads."""

    core: Core
    conn: Connection
    request_id: int
    request: SignIn
    attempt: Try

    def submit(self, workers: Workers, is_quick: bool) -> None:
        """Raises Busy when too many wait."""
        workers.submit(lambda: _checked(self, is_quick))


def sign_in(core: Core, conn: Connection, frame: Frame) -> None:
    request = decode_request(frame, SignIn)
    is_known = core.known_devices.is_known(request.member_id, request.device_id)
    attempt = Try(request.member_id, conn.address, request.device_id.hex() if is_known else "")
    one = _SignIn(core, conn, frame.request_id, request, attempt)
    wait = core.throttle.wait_seconds(*attempt[:2], conn.io.now, attempt.device)
    if wait > 0:
        _refuse_for_now(one, wait)
        return
    try:
        one.submit(core.quick_workers if is_known else core.password_workers, is_known)
    except Busy:
        core.set_state(conn, State.GREETED)
        raise
    conn.deadline += core.settings.sign_in_seconds_max  # the peer was in time; the check may wait behind others


def _checked(one: _SignIn, is_quick: bool) -> None:
    """On a worker thread: look at the password, then go on where the connection lives."""
    if one.conn.phase is not Phase.OPEN:
        return
    try:
        if is_quick:
            _check_quickly(one)
        else:
            _check(one)
    except Exception:
        one.conn.io.call(lambda: _fail(one))
        raise


def _check_quickly(one: _SignIn) -> None:
    """A device that is known gives the password that it gave before; anything else is checked in full."""
    request = one.request
    stored = password_hash_of(request.member_id)
    if stored and one.core.known_devices.fits(request.member_id, request.device_id, stored, request.password):
        one.core.throttle.succeeded(*one.attempt)
        one.conn.io.call(lambda: _begin(one, ""))
        return
    try:
        one.submit(one.core.password_workers, is_quick=False)
    except Busy as busy:
        wait = busy.retry_after_seconds
        one.conn.io.call(lambda: _refuse_for_now(one, wait))


def _check(one: _SignIn) -> None:
    """The slow way. The try is counted before: many at once get no more guesses than one after another."""
    core, request = one.core, one.request
    wait = core.throttle.begin(one.attempt, time.monotonic())
    if wait:
        one.conn.io.call(lambda: _refuse_for_now(one, wait))
        return
    try:
        stored = password_hash_of(request.member_id)
        right = core.passwords.is_right(stored, request.password)
    except Exception:
        core.throttle.undo(one.attempt)
        raise
    if right and stored is not None:
        core.throttle.succeeded(*one.attempt)
        one.conn.io.call(partial(_begin, one, _upgraded(one, stored) if is_made(stored) else stored))
    else:
        known = stored is not None
        one.conn.io.call(lambda: _refuse(one, known))


def _upgraded(one: _SignIn, stored: str) -> str:
    """The first use of a password that was made for the member stores it as every other one is stored."""
    slow = hash_password(one.request.password)
    one.core.writer.submit(lambda: upgrade_password_hash(one.request.member_id, stored, slow))
    return slow


def _refuse_for_now(one: _SignIn, wait: float) -> None:
    """Who goes on guessing meanwhile is read slowly: refusals must not cost much either."""
    one.conn.io.pause(one.conn, _PAUSE_SECONDS)
    one.core.set_state(one.conn, State.GREETED)
    text = f"Too many wrong passwords; wait {math.ceil(wait)} seconds."
    one.conn.refuse(one.request_id, codes.RATE_LIMITED, text, math.ceil(wait * 1_000))


def _fail(one: _SignIn) -> None:
    one.core.set_state(one.conn, State.GREETED)
    one.conn.refuse(one.request_id, codes.SERVER_ERROR, "The password could not be checked; try again.", 1_000)


def _refuse(one: _SignIn, known: bool) -> None:
    one.core.set_state(one.conn, State.GREETED)
    if known:
        one.conn.refuse(one.request_id, codes.WRONG_PASSWORD, "The password is wrong.")
    else:
        text = f"There is no member {one.request.member_id} on this server."
        one.conn.refuse(one.request_id, codes.UNKNOWN_MEMBER, text)


def _begin(one: _SignIn, stored_hash: str) -> None:
    """On the connection's I/O thread: from here on pushes reach it, and they follow this answer. `stored_hash`: the
    password was checked in full against it, and its device is known from now on."""
    core, conn, request = one.core, one.conn, one.request
    member = core.directory.members.get(request.member_id)
    if conn.phase is not Phase.OPEN or member is None:
        return
    quota = core.quotas.of(member.id, conn.io.now)
    wait = quota.bucket("sign_in", conn.io.now).take(conn.io.now)
    if wait:
        core.set_state(conn, State.GREETED)
        conn.refuse(
            one.request_id, codes.RATE_LIMITED, "You sign in too often; wait a moment.", math.ceil(wait * 1_000)
        )
        return
    now_ms = time.time_ns() // 1_000_000
    if stored_hash:
        core.known_devices.remember(member.id, request.device_id, stored_hash, request.password, now_ms)
    core.signed_in(conn)
    conn.member_id = member.id
    conn.quota = quota
    conn.device_id = request.device_id
    conn.device_name = request.device_name
    conn.deadline = 0.0
    conn.reader.body_bytes_max = limits.BODY_BYTES_MAX
    core.set_state(conn, State.SIGNED_IN)
    for old in core.sessions.add(conn, request.presence):
        old.io.call(lambda old=old: _replace(old))  # type: ignore[misc]
    last = core.writer.mailboxes.last.get(member.id, 0)
    conn.answer(one.request_id, Type.SIGNED_IN, SignedIn(member.id, member.name, last, now_ms))
    core.presence.member_changed(member.id)


def _replace(old: Connection) -> None:
    old.refuse(0, codes.SIGNED_IN_ELSEWHERE, "This device signed in again on another connection.")
    old.io.close_after_flush(old)


HANDLERS: dict[int, Handler] = {Type.SIGN_IN: sign_in}
