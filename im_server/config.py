"""What can be set on a server: deadlines, queue sizes and counts, each with its unit last and its reason beside it."""

from __future__ import annotations

from dataclasses import dataclass

from im_protocol import limits


@dataclass(frozen=True, slots=True)
class Settings:
    """The defaults serve a dormitory of thousands; tests shorten the deadlines."""

    io_threads: int = 2
    connections_max: int = 16_000
    connections_per_address_unsigned_max: int = 512  # many members share one address behind a home router
    sign_in_seconds_max: float = limits.SIGN_IN_SECONDS_MAX
    silence_seconds_max: float = limits.SILENCE_SECONDS_MAX
    keepalive_seconds: int = limits.KEEPALIVE_SECONDS
    out_bytes_max: int = 4 * 1024 * 1024  # a peer that reads slower than this builds up is dropped
    devices_per_member_max: int = 16
    password_queue_max: int = 256  # sign-ins waiting for a password check
    work_queue_max: int = 1_024  # history pages and the like waiting for a worker thread
    workers: int = 2
    commit_messages_max: int = 2_048  # one group commit; more wait for the next
    relay_waiting_max: int = 4_096  # orders that the payment subsystem has not answered yet
    relay_per_member_max: int = 64
    relay_seconds_max: float = 60.0  # an order that long without an answer makes room; clients have given up by then
    presence_tick_seconds: float = 0.05  # presence changes are told together, this often
    restart_seconds_min: float = 0.2  # back-off of a payment subsystem that keeps dying
    restart_seconds_max: float = 5.0
    payment_link_seconds_max: float = 20.0  # the first start waits this long for the payment key
    listen_backlog: int = 1_024
