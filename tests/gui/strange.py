"""The largest and strangest texts that the wire allows: each of at most 4,000 characters."""

from __future__ import annotations

from im_protocol.limits import TEXT_CHARS_MAX

_FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"


def _full(part: str) -> str:
    """As many of a text as a message may have."""
    return part * (TEXT_CHARS_MAX // len(part))


STRANGE: dict[str, str] = {
    "letters each on a line": _full("a\n"),
    "line ends alone": "x" + _full("\n")[:-2] + "y",
    "every kind of line end": _full("a\r\n\v\f\x1c\x85\u2028\u2029"),
    "tabs": _full("\t"),
    "tabs and letters": _full("a\t"),
    "spaces": "x" + _full(" ")[:-2] + "y",
    "one word": _full("W"),
    "one narrow word": _full("i"),
    "one address": "https://" + _full("a.b/")[:-8],
    "combining marks on one letter": "e" + _full("\u0301")[:-1],
    "combining marks alone": _full("\u0336"),
    "a letter with many marks": _full("Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324"),
    "enclosing keycaps": _full("a\u20e3"),
    "arabic": _full("السلام عليكم "),
    "arabic with harakat": _full("بِسْمِ ٱللَّهِ "),
    "hebrew": _full("שלום עולם 123 "),
    "both directions": _full("abc שלום 86.40 (العربية) "),
    "one arabic word": _full("ع"),
    "overrides": _full("\u202e86.40\u202c\u2066x\u2069"),
    "nested embeddings": _full("\u202b\u202a"),
    "the widest letter": _full("\ufdfd"),
    "cuneiform": _full("\U00012031\U0001242b"),
    "emoji": _full("😀😎🎉👍"),
    "every emoji of a block": "".join(map(chr, range(0x1F300, 0x1F650))) + "".join(map(chr, range(0x1F900, 0x1FA00))),
    "families": _full(_FAMILY),
    "one endless family": _full("\U0001f468\u200d")[:-1],
    "flags": _full("🇨🇳🇩🇪🇬🇧"),
    "halves of flags": _full("🇨 "),
    "skin tones": _full("👍🏽👋🏿"),
    "lone skin tones": _full("\U0001f3fd"),
    "keycaps": _full("1\ufe0f\u20e3#\ufe0f\u20e3"),
    "text style": _full("☎\ufe0e❤\ufe0e"),
    "variation selectors": _full("\ufe0f\ufe0e"),
    "tag characters": _full("\U0001f3f4\U000e0067\U000e0062"),
    "emoji of the future": _full("\U0001faff\U0001f6df\U0001f8ff"),
    "joiners": _full("\u200d\u200c"),
    "invisible": _full("\u200b\u2060\ufeff\u00ad\u034f"),
    "chinese": _full("电费账单，请在三十日前缴清。"),
    "full-width stops": _full("，。"),
    "thai": _full("สวัสดีครับ"),
    "devanagari": _full("नमस्ते दुनिया "),
    "hangul jamo": _full("\u1112\u1161\u11ab"),
    "hangul fillers": _full("\u115f\u3164"),
    "beyond the plane": _full("\U0001d54f\U00020000\U0001f0a1"),
    "private use": _full("\ue000\uf8ff\U000f0000\U0010fffd"),
    "nobody's characters": _full("\ufffe\uffff\ufdd0\U0001fffe\U0010ffff"),
    "controls": _full("".join(map(chr, range(0x20))) + "".join(map(chr, range(0x7F, 0xA0)))),
    "zeros": _full("\0"),
    "terminal commands": _full("\x1b[2J\x1b]0;x\x07"),
    "braces and backslashes": _full("{\\n[exit]$x} "),
    "edges of the surrogates": _full("\ud7ff\ue000"),
    "every plane": "".join(map(chr, range(0x100, 0xD800, 16)))[:TEXT_CHARS_MAX],
}
