"""A member's own presence and signature line. Has no answer: the change comes back as everybody's event."""

from __future__ import annotations

from host.text import is_one_line
from im_protocol import codes
from im_protocol.codec import Frame, decode_request
from im_protocol.errors import RemoteProtocolError
from im_protocol.packets import PresenceSet, Type
from im_server.connection import Connection
from im_server.core import Core, Handler
from im_server.store.members import save_signature


def presence_set(core: Core, conn: Connection, frame: Frame) -> None:
    wanted = decode_request(frame, PresenceSet)
    if not is_one_line(wanted.signature):
        raise RemoteProtocolError(codes.BAD_BODY, "A signature has no control characters or line breaks.", fatal=False)
    member_id, signature = conn.member_id, wanted.signature
    core.sessions.set_presence(member_id, wanted.presence)
    member = core.directory.members.get(member_id)
    if member is not None and member.signature != signature:
        core.directory.update_member(member_id, signature=signature)
        core.writer.keep(("signature", member_id), lambda: save_signature(member_id, signature))
    core.presence.member_changed(member_id)


HANDLERS: dict[int, Handler] = {Type.PRESENCE_SET: presence_set}
