"""Every packet's body as a typed struct, and the table from wire type to struct.

Bodies are MessagePack arrays (`array_like`): fields are only ever appended, and a newer field has a default.
Limits are part of the types, so decoding is validation.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from im_protocol import limits

Name = Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARS_MAX)]
Label = Annotated[str, Meta(max_length=limits.NAME_CHARS_MAX)]
Text = Annotated[str, Meta(min_length=1, max_length=limits.TEXT_CHARS_MAX)]
Id = Annotated[int, Meta(ge=0, le=limits.ID_MAX)]
Count = Annotated[int, Meta(ge=0, le=limits.ID_MAX)]
MessageId = Annotated[bytes, Meta(min_length=limits.MESSAGE_ID_BYTES, max_length=limits.MESSAGE_ID_BYTES)]
DeviceId = Annotated[bytes, Meta(min_length=limits.DEVICE_ID_BYTES, max_length=limits.DEVICE_ID_BYTES)]
Key32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Presence = Literal["online", "away", "busy", "offline"]


class Flag(IntFlag):
    """Header flags; the other six bits must be zero."""

    ANSWER = 0x01  # answers the packet of the same request id
    PUSH = 0x02  # nobody asked; request id is 0


class Type(IntEnum):
    """Wire numbers. 0x00xx connection, 0x01xx people, 0x02xx chat, 0x03xx payment, 0x04xx link only."""

    REFUSAL = 0x0001
    PING = 0x0002
    PONG = 0x0003
    HELLO = 0x0010
    WELCOME = 0x0011
    SIGN_IN = 0x0012
    SIGNED_IN = 0x0013
    SIGN_OUT = 0x0014
    ROSTER_REQUEST = 0x0100
    ROSTER = 0x0101
    ROSTER_CHANGED = 0x0102
    PRESENCE_SET = 0x0103
    PRESENCE_EVENT = 0x0104
    CHAT_SEND = 0x0200
    CHAT_ACCEPTED = 0x0201
    CHAT_EVENT = 0x0202
    CHAT_ACK = 0x0203
    SYNC_REQUEST = 0x0204
    SYNC_RESULT = 0x0205
    KEY_CONFIG_REQUEST = 0x0300
    KEY_CONFIG = 0x0301
    SEALED_REQUEST = 0x0302
    SEALED_ANSWER = 0x0303
    PAYMENT_NOTICE = 0x0304
    LINK_HELLO = 0x0400
    LINK_READY = 0x0401
    ACCOUNTS_CHANGED = 0x0402
    ADMIN_COMMAND = 0x0410
    ADMIN_RESULT = 0x0411


class Body(msgspec.Struct, array_like=True, frozen=True):
    """Base of all bodies."""


class Empty(Body, frozen=True):
    """A body with no fields: the MessagePack array of length 0."""


class Refusal(Body, frozen=True):
    """`code` is one of `codes`; `message` says in English what to do next; `retry_after_ms` 0 means no advice."""

    code: Annotated[str, Meta(min_length=1, max_length=limits.CODE_CHARS_MAX)]
    message: Annotated[str, Meta(max_length=limits.REASON_CHARS_MAX)]
    retry_after_ms: Count = 0


class Pong(Body, frozen=True):
    """Answer to a PING: the connection lives. `server_time_ms` is the server's clock, Unix time; 0: not told."""

    server_time_ms: Count = 0


class Hello(Body, frozen=True):
    """First packet of a client: its name and version, its language (BCP 47) for texts of the server."""

    client: Name
    lang: Annotated[str, Meta(max_length=16)] = "en"


class Welcome(Body, frozen=True):
    """`payment_root` is the subsystem's Ed25519 public key (raw, 32 bytes); all zero while it is not known yet."""

    server_name: Name
    server_version: Label
    payment_root: Key32
    keepalive_seconds: Annotated[int, Meta(ge=1, le=3600)] = limits.KEEPALIVE_SECONDS


class SignIn(Body, frozen=True):
    """`device_id` is random, made once by each installation: one device's new sign-in replaces its old one."""

    member_id: Id
    password: Annotated[str, Meta(max_length=limits.PASSWORD_CHARS_MAX)]
    device_id: DeviceId
    device_name: Label = ""
    presence: Presence = "online"


class SignedIn(Body, frozen=True):
    """`last_sequence` is the newest entry in the member's mailbox, to sync up to; `server_time_ms` is Unix time."""

    member_id: Id
    name: Name
    last_sequence: Count
    server_time_ms: Count


class Contact(Body, frozen=True):
    """One roster row. `kind` biller: `icon` names a bundled picture and `verified` is the operator's word."""

    id: Id
    kind: Literal["member", "biller"]
    name: Name
    presence: Presence
    signature: Label = ""
    icon: Label = ""
    verified: bool = False
    last_seen_ms: Count = 0


class Group(Body, frozen=True):
    """A named group of the roster; `kind` billpay is shown first."""

    name: Name
    kind: Literal["billpay", "members"]
    contacts: Annotated[list[Contact], Meta(max_length=limits.CONTACTS_PER_PACKET_MAX)]


class RosterRequest(Body, frozen=True):
    """`after` is the `next` of the packet before it: a long roster comes in several packets; 0 begins."""

    after: Count = 0


class Roster(Body, frozen=True):
    """A page of the roster. Groups of the same name in later pages continue the earlier one; `next` 0 ends."""

    groups: Annotated[list[Group], Meta(max_length=limits.GROUPS_MAX)]
    next: Count = 0


class PresenceSet(Body, frozen=True):
    """The member's own presence and signature line."""

    presence: Presence
    signature: Label = ""


class PresenceEvent(Body, frozen=True):
    """A contact's presence changed (push)."""

    member_id: Id
    presence: Presence
    signature: Label = ""
    last_seen_ms: Count = 0


class ChatSend(Body, frozen=True):
    """Header receiver: the other member. `message_id` is random; sending it again stores nothing twice."""

    message_id: MessageId
    text: Text


class ChatAccepted(Body, frozen=True):
    """Stored on disk. `sequence` is its place in the sender's own mailbox."""

    message_id: MessageId
    sequence: Count
    sent_at_ms: Count


class ChatEvent(Body, frozen=True):
    """Header sender and receiver: who wrote to whom. `message` is the sender's body, byte for byte.

    `sequence` is its place in the mailbox of the member it is delivered to: 1, 2, 3, … without gaps.
    """

    sequence: Count
    sent_at_ms: Count
    message: ChatSend


class ChatAck(Body, frozen=True):
    """This device has stored every entry up to and including `sequence`. Has no answer."""

    sequence: Count


class SyncRequest(Body, frozen=True):
    """Asks for mailbox entries after `after_sequence`, oldest first. `message_id` is that of the entry there, as the
    device knows it (empty: it knows none), to find out whether the mailbox is still the same."""

    after_sequence: Count
    message_id: Annotated[bytes, Meta(max_length=limits.MESSAGE_ID_BYTES)] = b""


class SyncEntry(Body, frozen=True):
    """One mailbox entry with the ids that a ChatEvent has in its header."""

    sender_id: Id
    receiver_id: Id
    event: ChatEvent


class SyncResult(Body, frozen=True):
    """`more` tells to ask again after the last sequence."""

    entries: Annotated[list[SyncEntry], Meta(max_length=limits.SYNC_EVENTS_MAX)]
    more: bool


class LinkHello(Body, frozen=True):
    """First packet of the subsystem on the link: its public key and the billers that it serves. `answers_pings`: the
    server may count it as away when it does not answer."""

    token: Annotated[bytes, Meta(max_length=64)]
    payment_root: Key32
    billers: Annotated[list[Contact], Meta(max_length=limits.CONTACTS_PER_PACKET_MAX)]
    answers_pings: bool = False


class AccountsChanged(Body, frozen=True):
    """What these members see of bills or balance changed; the server tells those online (PAYMENT_NOTICE)."""

    member_ids: Annotated[list[Id], Meta(max_length=4_000)]


class AdminCommand(Body, frozen=True):
    """An operator's command line, on the 0600 administration socket only (see `admin` for the pages).

    `token` is shown where there are no Unix sockets. `person` is who is behind the operating system's user (sudo).
    """

    argv: Annotated[list[str], Meta(max_length=64)]
    stdin: bytes = b""
    more: bool = False
    token: Annotated[str, Meta(max_length=64)] = ""
    person: Label = ""


class AdminResult(Body, frozen=True):
    """What the command printed, and its exit status. A page without text says that the command is still at work."""

    status: int
    out: str
    err: str
    more: bool = False


OPAQUE: dict[Type, str] = {
    Type.KEY_CONFIG: "payment.contract.keys",
    Type.SEALED_REQUEST: "payment.contract.sealing",
    Type.SEALED_ANSWER: "payment.contract.sealing",
}
"""Bodies that the chat server passes on unread; the named module of the contract reads them."""

UNANSWERED = frozenset((Type.SIGN_OUT, Type.PRESENCE_SET, Type.CHAT_ACK))
"""What a client sends that has no answer; only these may carry the request id 0."""

BODIES: dict[Type, type[Body]] = {
    Type.REFUSAL: Refusal,
    Type.PING: Empty,
    Type.PONG: Pong,
    Type.HELLO: Hello,
    Type.WELCOME: Welcome,
    Type.SIGN_IN: SignIn,
    Type.SIGNED_IN: SignedIn,
    Type.SIGN_OUT: Empty,
    Type.ROSTER_REQUEST: RosterRequest,
    Type.ROSTER: Roster,
    Type.ROSTER_CHANGED: Empty,
    Type.PRESENCE_SET: PresenceSet,
    Type.PRESENCE_EVENT: PresenceEvent,
    Type.CHAT_SEND: ChatSend,
    Type.CHAT_ACCEPTED: ChatAccepted,
    Type.CHAT_EVENT: ChatEvent,
    Type.CHAT_ACK: ChatAck,
    Type.SYNC_REQUEST: SyncRequest,
    Type.SYNC_RESULT: SyncResult,
    Type.KEY_CONFIG_REQUEST: Empty,
    Type.PAYMENT_NOTICE: Empty,
    Type.LINK_HELLO: LinkHello,
    Type.LINK_READY: Empty,
    Type.ACCOUNTS_CHANGED: AccountsChanged,
    Type.ADMIN_COMMAND: AdminCommand,
    Type.ADMIN_RESULT: AdminResult,
}
