"""Operators' commands and their results as packets: as many as they need, since one body holds 64 KiB."""

from __future__ import annotations

import msgspec

from im_protocol import codes
from im_protocol.codec import Frame, decode_body
from im_protocol.errors import RemoteProtocolError
from im_protocol.packets import AdminCommand, AdminResult

PAGE_BYTES_MAX = 48 * 1024  # with the rest of its packet it is well under BODY_BYTES_MAX
STDIN_BYTES_MAX = 64 * 2**20  # the largest file that a command may bring


def command_pages(command: AdminCommand) -> list[AdminCommand]:
    """The same command in packets: the first has the words, all have a part of `stdin`, all but the last `more`."""
    parts = [command.stdin[at : at + PAGE_BYTES_MAX] for at in range(0, len(command.stdin), PAGE_BYTES_MAX)] or [b""]
    pages = [msgspec.structs.replace(command, stdin=parts[0], more=len(parts) > 1)]
    return pages + [AdminCommand([], part, more=at < len(parts) - 1) for at, part in enumerate(parts[1:], 1)]


def result_pages(status: int, out: str, err: str) -> list[AdminResult]:
    """A result in packets; all but the last have `more`, the last has the status."""
    outs, errs = _parts(out), _parts(err)
    count = max(len(outs), len(errs))
    outs += [""] * (count - len(outs))
    errs += [""] * (count - len(errs))
    last = count - 1
    return [AdminResult(status if at == last else 0, outs[at], errs[at], more=at < last) for at in range(count)]


def _parts(text: str) -> list[str]:
    """The text in parts that fit one packet: bytes count, and no character is torn."""
    data = text.encode()
    parts: list[str] = []
    at = 0
    while at < len(data):
        end = min(at + PAGE_BYTES_MAX // 2, len(data))  # half for `out`, half for `err`
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        parts.append(data[at:end].decode())
        at = end
    return parts or [""]


class CommandReader:
    """Puts a command together again. One for each connection."""

    def __init__(self) -> None:
        self._first: AdminCommand | None = None
        self._stdin = bytearray()

    def feed(self, frame: Frame) -> AdminCommand | None:
        """The whole command once its last packet is there. Raises RemoteProtocolError (bad_body, body_too_large)."""
        page = decode_body(frame, AdminCommand)
        if len(self._stdin) + len(page.stdin) > STDIN_BYTES_MAX:
            text = f"a command brings at most {STDIN_BYTES_MAX >> 20} MiB"
            raise RemoteProtocolError(codes.BODY_TOO_LARGE, text, request_id=frame.request_id)
        self._first = self._first or page
        self._stdin += page.stdin
        if page.more:
            return None
        whole = msgspec.structs.replace(self._first, stdin=bytes(self._stdin), more=False)
        self._first, self._stdin = None, bytearray()
        return whole


class ResultReader:
    """Puts a result together again."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._err: list[str] = []

    def feed(self, frame: Frame) -> AdminResult | None:
        """The whole result once its last packet is there. Raises RemoteProtocolError (bad_body)."""
        page = decode_body(frame, AdminResult)
        self._out.append(page.out)
        self._err.append(page.err)
        return None if page.more else AdminResult(page.status, "".join(self._out), "".join(self._err))
