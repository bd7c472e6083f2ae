"""What the client can be told: where the server is, how long to wait, how much to hold. Times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from im_protocol import limits

CLIENT_NAME = "BillBuddy 0.1.0"
INBOX_ITEMS_MAX = 2_000  # network → user interface; a slower interface stops the reading, not the memory
OUT_BYTES_MAX = 4 * 1024 * 1024  # user interface → network; over it a request is refused at once
MEMBER_DIGITS_MAX = 18  # the most that always fit the wire's and the store's integers
DRAIN_ITEMS_MAX = 200  # handled in one turn of the user interface, so that it keeps drawing


@dataclass(frozen=True)
class Timings:
    """Every wait of the client, so that tests can shorten them."""

    connect_seconds: float = 8.0
    welcome_seconds: float = 8.0
    request_seconds: float = 20.0
    backoff_first_seconds: float = 0.5
    backoff_factor: float = 2.0
    backoff_max_seconds: float = 30.0
    backoff_jitter: float = 0.3  # a fraction of the wait, added at random: clients don't all come back at once
    silence_seconds: float = float(limits.SILENCE_SECONDS_MAX)
    ping_waiting_seconds: float = 2.5  # of silence, while an answer is waited for: with the next one, cut within 10 s
    ping_idle_seconds: float = 20.0  # of silence otherwise: cut within 30 s
    pong_seconds: float = 5.5  # from a PING to the end, when nothing comes
    sign_in_silence_seconds: float = 20.0  # no PING is allowed before sign-in
    reconnect_seconds: float = 4.0  # one attempt to come back; TCP asks at 0, 1 and 3 seconds
    network_backoff_max_seconds: float = 1.5  # between attempts while the network is away, so that it is noticed soon
    repeat_first_seconds: float = 1.0  # a message, a page of history or of the roster that was refused for now
    repeat_max_seconds: float = 30.0
    ask_again_first_seconds: float = 1.0  # a payment still being decided is asked after, again and again
    ask_again_max_seconds: float = 30.0
    overview_again_seconds: float = 5.0  # while the payment service is away
    keepalive_seconds: float = 0.0  # 0: what the server's WELCOME says


@dataclass(frozen=True)
class Address:
    """Host and port of a server."""

    host: str
    port: int = limits.DEFAULT_PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """`host`, `host:port`, `[ipv6]` or `[ipv6]:port`. Raises ValueError with a sentence."""
    text = text.strip()
    host, port_text = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not an address: write [IPv6]:PORT")
        port_text = rest[1:]
    elif text.count(":") == 1:
        host, _, port_text = text.partition(":")
        if not port_text:
            raise ValueError(f"{text!r} is not an address: the port is missing")
    if not host or any(c.isspace() or c in "/@" for c in host):
        raise ValueError(f"{text!r} is not an address: write HOST or HOST:PORT")
    if not port_text:
        return Address(host)
    if not (port_text.isascii() and port_text.isdigit() and 0 < int(port_text) < 65_536):
        raise ValueError(f"{port_text!r} is not a port: a number from 1 to 65535 is")
    return Address(host, int(port_text))


def parse_member_id(text: str) -> int:
    """A member id in ASCII digits, 10001 or higher. Raises ValueError."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= MEMBER_DIGITS_MAX and int(text) >= limits.MEMBER_ID_MIN):
        raise ValueError(f"{text!r} is not a member id")
    return int(text)
