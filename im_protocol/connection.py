"""One direction of one stream: bytes in, frames out. Holds at most one incomplete packet."""

from __future__ import annotations

from im_protocol import codes, limits
from im_protocol.codec import FLAGS_KNOWN, HEADER, MAGIC, VERSION, Frame
from im_protocol.errors import RemoteProtocolError


class FrameReader:
    """Cuts a byte stream into frames.

    A header is judged as soon as its 32 bytes are there, so a wrong or oversized packet is refused before its
    body is stored. After an error the reader stays broken: the stream has lost its place.
    """

    def __init__(self, body_bytes_max: int = limits.BODY_BYTES_MAX) -> None:
        self.body_bytes_max = body_bytes_max
        self._buffer = bytearray()
        self._broken: RemoteProtocolError | None = None

    def receive_data(self, data: bytes) -> list[Frame]:
        """All frames that `data` completes, in order.

        Raises RemoteProtocolError (fatal) at the first malformed header. Frames before it in the same call are
        delivered first: the error is raised by the next call (which may be given no data).
        """
        if self._broken is not None:
            raise self._broken
        self._buffer += data
        frames: list[Frame] = []
        try:
            self._cut(frames)
        except RemoteProtocolError as error:
            self._broken = error
            self._buffer.clear()
            if not frames:
                raise
        return frames

    @property
    def broken(self) -> RemoteProtocolError | None:
        """The error that ended the stream, if one did."""
        return self._broken

    @property
    def has_partial(self) -> bool:
        """Whether an incomplete packet is waiting for more bytes."""
        return bool(self._buffer)

    def _cut(self, frames: list[Frame]) -> None:
        buffer, size_max = self._buffer, self.body_bytes_max
        at, end = 0, len(buffer)
        try:
            while end - at >= limits.HEADER_BYTES:
                magic, version, flags, kind, reserved, size, request, sender, receiver = HEADER.unpack_from(buffer, at)
                if magic != MAGIC or version != VERSION or flags & ~FLAGS_KNOWN or reserved or size > size_max:
                    raise _header_error(magic, version, flags, reserved, size, request, size_max)
                stop = at + limits.HEADER_BYTES + size
                if stop > end:
                    break
                body = bytes(buffer[at + limits.HEADER_BYTES : stop])
                frames.append(Frame(kind, flags, request, sender, receiver, body))
                at = stop
        finally:
            del buffer[:at]


def _header_error(
    magic: int, version: int, flags: int, reserved: int, size: int, request_id: int, body_bytes_max: int
) -> RemoteProtocolError:
    if magic != MAGIC:
        return RemoteProtocolError(codes.BAD_MAGIC, "this is not a BillBuddy packet (it begins with 42 42)")
    if version != VERSION:
        return RemoteProtocolError(
            codes.BAD_VERSION, f"version {version} is not spoken here, only {VERSION}", request_id=request_id
        )
    if size > body_bytes_max:
        return RemoteProtocolError(
            codes.BODY_TOO_LARGE, f"body of {size} bytes, allowed are {body_bytes_max}", request_id=request_id
        )
    return RemoteProtocolError(
        codes.BAD_HEADER, f"flags {flags:#04x} or reserved bytes {reserved:#06x} not zero", request_id=request_id
    )
