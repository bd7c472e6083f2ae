"""Tables of im.db. One message is one row; the two sequence columns place it in the two members' mailboxes."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from peewee import BigIntegerField, BlobField, BooleanField, CharField, CompositeKey, Model

SCHEMA_VERSION = 2


def device_name_of(device_id: bytes) -> bytes:
    """What the server keeps instead of a device's id, which is the device's secret."""
    return hashlib.sha256(b"billbuddy device\0" + device_id).digest()


class Member(Model):
    """A member; `password_hash` is Argon2id in its usual text form."""

    id = BigIntegerField(primary_key=True)
    name = CharField(max_length=64)
    group_name = CharField(max_length=64, default="Members")
    signature = CharField(max_length=64, default="")
    password_hash = CharField(max_length=200)
    created_at_ms = BigIntegerField()
    last_seen_ms = BigIntegerField(default=0)

    class Meta:
        table_name = "member"


class DeviceIdField(BlobField):
    """A device's id is its secret: kept and looked for as `device_name_of` it, its SHA-256."""

    def db_value(self, value: bytes | None) -> Any:
        return super().db_value(None if value is None else device_name_of(value))


class Device(Model):
    """A device of a member, and how far it has stored the mailbox."""

    member_id = BigIntegerField()
    device_id = DeviceIdField()
    name = CharField(max_length=64, default="")
    acked_sequence = BigIntegerField(default=0)
    seen_at_ms = BigIntegerField(default=0)

    class Meta:
        table_name = "device"
        primary_key = CompositeKey("member_id", "device_id")


class KnownDevice(Model):
    """What a right password left for a device (see `im_server.known_devices`); `device` is its SHA-256 name."""

    member_id = BigIntegerField()
    device = BlobField()
    verifier = BlobField()
    used_at_ms = BigIntegerField()

    class Meta:
        table_name = "known_device"
        primary_key = CompositeKey("member_id", "device")


class Operation(Model):
    """A command of an operator that was carried out, by the command's id: the same again is not done twice.

    `result` is what it gave, without passwords.
    """

    id = CharField(max_length=64, primary_key=True)
    fingerprint = BlobField()
    result = BlobField()
    at_ms = BigIntegerField()

    class Meta:
        table_name = "operation"


class Biller(Model):
    """A bill-pay contact as the payment subsystem last told it: shown also while that is away."""

    id = BigIntegerField(primary_key=True)
    name = CharField(max_length=64)
    icon = CharField(max_length=64, default="")
    signature = CharField(max_length=64, default="")
    verified = BooleanField(default=False)

    class Meta:
        table_name = "biller"


class Message(Model):
    """One chat message. `body` is the sender's ChatSend body, byte for byte."""

    sender_id = BigIntegerField()
    receiver_id = BigIntegerField()
    sender_sequence = BigIntegerField()
    receiver_sequence = BigIntegerField()
    message_id = BlobField()
    sent_at_ms = BigIntegerField()
    body = BlobField()

    class Meta:
        table_name = "message"
        indexes = (
            (("sender_id", "sender_sequence"), True),
            (("receiver_id", "receiver_sequence"), True),
            (("sender_id", "message_id"), True),
        )


def rows_of(query: Any) -> list[tuple[Any, ...]]:
    """The rows of a query as tuples."""
    return cast("list[tuple[Any, ...]]", list(query.tuples()))


ALL = (Member, Device, KnownDevice, Operation, Biller, Message)
