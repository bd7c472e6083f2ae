"""Who gives a command: the operating system's user, and the person behind it when that user was lent (sudo)."""

from __future__ import annotations

import getpass
import os

from host.text import is_one_line
from im_protocol.limits import NAME_CHARS_MAX


def name_of_user(user_id: int) -> str:
    """The operating system's name of a user."""
    try:
        import pwd

        return pwd.getpwuid(user_id).pw_name
    except (ImportError, KeyError):
        return f"user {user_id}"


def current_user() -> str:
    """Who runs this process. The system is asked, not the environment, which anybody may set."""
    if hasattr(os, "getuid"):
        return name_of_user(os.getuid())
    return getpass.getuser()


def person() -> str:
    """Who stands behind this process's user, as sudo, doas or pkexec tell; "" when nobody does.

    Only somebody who may use that user anyway can set these, so they lie about themselves at worst.
    """
    pkexec = os.environ.get("PKEXEC_UID", "")
    found = (
        os.environ.get("SUDO_USER")
        or os.environ.get("DOAS_USER")
        or (name_of_user(int(pkexec)) if pkexec.isascii() and pkexec.isdigit() else "")
    )
    fits = len(found) <= NAME_CHARS_MAX and is_one_line(found) and found != current_user()
    return found if fits else ""


def who(user: str, behind: str) -> str:
    """The name for the audit log."""
    user = user or current_user()
    return f"{behind} as {user}" if behind else user
