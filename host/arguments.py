"""Types of command-line arguments, for argparse: each refusal says what is allowed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from host.text import is_one_line, is_seen


def number(what: str, least: int, most: int) -> Callable[[str], int]:
    """A whole number in ASCII digits within a range; the refusal says the range."""

    def read(text: str) -> int:
        if re.fullmatch(r"-?[0-9]{1,40}", text, re.ASCII) and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no {what}: a whole number from {least} to {most}")

    return read


def words(what: str, chars_max: int, chars_min: int = 0) -> Callable[[str], str]:
    """A text on one line, within a length; with a least length it is not only blanks."""

    def read(text: str) -> str:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise argparse.ArgumentTypeError(f"{what} is not text in this terminal's encoding (see LANG)")
        if not is_one_line(text):
            raise argparse.ArgumentTypeError(f"{what} has a line break or a control character")
        if not chars_min <= len(text) <= chars_max:
            raise argparse.ArgumentTypeError(f"{what} has {chars_min} to {chars_max} characters, not {len(text)}")
        if chars_min and not is_seen(text):
            raise argparse.ArgumentTypeError(f"{what} is blank")
        return text

    return read


def command_id(text: str) -> str:
    """The id of a command that may be given again."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text, re.ASCII):
        raise argparse.ArgumentTypeError("an id has 1 to 64 letters, digits, dots, hyphens and underscores")
    return text
