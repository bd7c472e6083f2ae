"""What can be set on a server: deadlines, queue sizes and counts, each with its unit last and its reason beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from im_protocol import limits
from im_server.quotas import Quotas


@dataclass(frozen=True, slots=True)
class Settings:
    """The defaults serve a dormitory of thousands; tests shorten the deadlines."""

    io_threads: int = 2
    connections_max: int = 16_000
    connections_per_address_unsigned_max: int = 1_500  # a whole house behind one router that comes back at once
    connections_per_address_burst: int = 1_500  # new connections of one address at once, and ...
    connections_per_address_per_second: float = (
        100.0  # ... in the long run, of those that do not sign in; more are closed
    )
    sign_in_seconds_max: float = limits.SIGN_IN_SECONDS_MAX
    silence_seconds_max: float = limits.SILENCE_SECONDS_MAX
    packet_seconds_max: float = 30.0  # from a packet's first byte to its last: 64 KiB at 2 KiB a second
    keepalive_seconds: int = limits.KEEPALIVE_SECONDS
    out_bytes_max: int = 4 * 1024 * 1024  # a peer that reads slower than this builds up is dropped
    devices_per_member_max: int = 16
    password_threads: int = 1  # Argon2id: one core at most, so that guesses leave the other to those who are signed in
    admin_queue_max: int = 16  # operators' commands that wait for one another
    password_queue_max: int = 2_048  # sign-ins waiting for a password check
    work_queue_max: int = 1_024  # history pages and the like waiting for a worker thread
    workers: int = 2
    pages_per_member_max: int = 16  # pages of history that are being read for one member: one a device
    commit_messages_max: int = 2_048  # one group commit; more wait for the next
    relay_waiting_max: int = 4_096  # orders that the payment subsystem has not answered yet
    relay_per_member_max: int = 64  # over all devices of the member
    relay_seconds_max: float = 60.0  # an order that long without an answer makes room; clients have given up by then
    heartbeat_seconds: float = 1.0  # the payment subsystem is asked this often whether it is alive
    presence_tick_seconds: float = 0.05  # presence changes are told together, this often
    restart_seconds_min: float = 0.2  # back-off of a payment subsystem that keeps dying
    restart_seconds_max: float = 5.0
    payment_link_seconds_max: float = 20.0  # the first start waits this long for the payment key
    listen_backlog: int = 1_024
    quotas: Quotas = field(default_factory=Quotas)  # what one member may ask for
