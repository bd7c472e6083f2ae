"""Six words that two people can compare: they stand for the server's TLS key and its payment key."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

WORDS = 6
BITS_PER_WORD = 11  # 2,048 words; six of them are 66 bits, far too many to search for a look-alike key
_LABEL = b"billbuddy key words\0"


@cache
def word_list() -> tuple[str, ...]:
    """The 2,048 English words of BIP-39 (see words_english.LICENSE.txt)."""
    return tuple(resources.files("im_protocol").joinpath("words_english.txt").read_text("ascii").split())


def key_words(tls_pin: bytes, payment_fingerprint: bytes) -> tuple[str, ...]:
    """The six words of a server; both arguments are SHA-256 digests of 32 bytes."""
    if len(tls_pin) != 32 or len(payment_fingerprint) != 32:
        raise ValueError("a pin and a fingerprint have 32 bytes each")
    digest = hashlib.sha256(_LABEL + tls_pin + payment_fingerprint).digest()
    bits = int.from_bytes(digest, "big") >> (256 - WORDS * BITS_PER_WORD)
    words = word_list()
    mask = (1 << BITS_PER_WORD) - 1
    return tuple(words[bits >> (BITS_PER_WORD * (WORDS - 1 - i)) & mask] for i in range(WORDS))
