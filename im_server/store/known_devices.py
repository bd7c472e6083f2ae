"""Devices that signed in with a right password before (see `im_server.known_devices`)."""

from __future__ import annotations

from typing import NamedTuple

from peewee import SqliteDatabase

from im_server.store.models import KnownDevice, device_name_of, rows_of


class KnownDeviceRow(NamedTuple):
    """`device` is `device_name_of` the device's id; `used_at_ms` when it got this verifier (Unix ms)."""

    member_id: int
    device: bytes
    verifier: bytes
    used_at_ms: int


def all_known_devices() -> list[KnownDeviceRow]:
    query = KnownDevice.select(KnownDevice.member_id, KnownDevice.device, KnownDevice.verifier, KnownDevice.used_at_ms)
    return [
        KnownDeviceRow(member, bytes(device), bytes(verifier), at) for member, device, verifier, at in rows_of(query)
    ]


def save_known_device(row: KnownDeviceRow, gone: list[bytes]) -> None:
    """Store one, in the place of an older one of the same device, and forget others of its member."""
    KnownDevice.replace(
        member_id=row.member_id, device=row.device, verifier=row.verifier, used_at_ms=row.used_at_ms
    ).execute()
    if gone:
        is_gone = (KnownDevice.member_id == row.member_id) & KnownDevice.device.in_(gone)
        KnownDevice.delete().where(is_gone).execute()


def hide_device_ids(database: SqliteDatabase) -> None:
    """An older server kept the ids themselves, of 16 bytes: they are the devices' secrets now."""
    plain = database.execute_sql("SELECT member_id, device_id FROM device WHERE length(device_id) = 16").fetchall()
    for member_id, device_id in plain:
        database.execute_sql(
            "UPDATE OR REPLACE device SET device_id = ? WHERE member_id = ? AND device_id = ?",
            (device_name_of(device_id), member_id, device_id),
        )
