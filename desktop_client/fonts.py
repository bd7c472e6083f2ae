"""Looks for fonts before the first window: Tk draws boxes for Chinese without one, and nothing at all without any.

On Linux fontconfig is asked, through the library that Tk has loaded already; other systems bring fonts of their own.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from typing import Literal

from desktop_client.i18n import _

log = logging.getLogger(__name__)

LIBRARY = "libfontconfig.so.1"
ANY, CHINESE = b":", b":lang=zh-cn"
INSTALL_LINE = "sudo apt-get install fonts-noto-cjk"

State = Literal["good", "no_chinese", "none"]


class _FontSet(ctypes.Structure):
    """FcFontSet of fontconfig.h."""

    _fields_ = (("count", ctypes.c_int), ("room", ctypes.c_int), ("fonts", ctypes.c_void_p))


def look() -> State:
    """Which fonts there are; good where nobody can be asked."""
    if not sys.platform.startswith("linux"):
        return "good"
    try:
        library = ctypes.CDLL(LIBRARY)
        if not _count(library, ANY):
            return "none"
        return "good" if _count(library, CHINESE) else "no_chinese"
    except (OSError, AttributeError) as error:
        log.debug("fontconfig cannot be asked for fonts: %s", error)
        return "good"


def sentence(state: State) -> str:
    """What is missing and what to do about it."""
    if state == "none":
        missing = _("This system has no fonts, so BillBuddy cannot show anything.")
    else:
        missing = _("This system has no font with Chinese characters: they are shown as boxes.")
    return missing + " " + _("Install one and start BillBuddy again: {line}").format(line=INSTALL_LINE)


def _count(library: ctypes.CDLL, wanted: bytes) -> int:
    pointer = ctypes.c_void_p
    library.FcNameParse.restype, library.FcNameParse.argtypes = pointer, [ctypes.c_char_p]
    library.FcObjectSetBuild.restype = pointer
    library.FcObjectSetDestroy.argtypes = library.FcPatternDestroy.argtypes = [pointer]
    library.FcFontList.restype, library.FcFontList.argtypes = ctypes.POINTER(_FontSet), [pointer, pointer, pointer]
    library.FcFontSetDestroy.argtypes = [ctypes.POINTER(_FontSet)]
    pattern = library.FcNameParse(wanted)
    names = library.FcObjectSetBuild(ctypes.c_char_p(b"family"), pointer(None))
    found = library.FcFontList(None, pattern, names)
    count = int(found.contents.count) if found else 0
    if found:
        library.FcFontSetDestroy(found)
    library.FcObjectSetDestroy(names)
    library.FcPatternDestroy(pattern)
    return count
