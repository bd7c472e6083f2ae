"""Where Chinese text may be broken into lines: anywhere, but not before a full stop."""

from __future__ import annotations

import re

CJK = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
# Ideographs one by one, each with the signs that may not end or begin a line; other words whole.
PIECE = re.compile(
    "[（《「『【“‘]*(?:[\u3400-\u9fff]|[^\\s\u3000-\u303f\u3400-\u9fff\uff00-\uffef]+)?[，。、；：？！）》」』】”’…]*|\\s"
)
