"""The desktop program: `python -m desktop_client [--invite LINK | --server HOST:PORT] [--as ID] …`."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import tkinter
from pathlib import Path
from typing import TYPE_CHECKING

from desktop_client import fonts
from desktop_client.dumps import no_core_dumps
from desktop_client.garbage import YOUNG_OBJECTS
from desktop_client.i18n import _, language, set_language, system_language

if TYPE_CHECKING:
    from desktop_client.presenters.app import Application
    from desktop_client.profile import Profile
    from desktop_client.single import First
    from desktop_client.windows.application import TkWindows

FONTS_TOLD = "fonts_told"  # the setting that keeps what was said of fonts, to say it once
PASSWORD_VARIABLE = "BILLBUDDY_PASSWORD"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="billbuddy", description="BillBuddy: message, and pay your bills.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--invite", metavar="LINK", default="", help="an invite link of the operator")
    where.add_argument("--server", metavar="HOST:PORT", default="", help="the server; not needed when it is remembered")
    parser.add_argument("--as", dest="member", metavar="ID", default="", help="the member number to sign in with")
    parser.add_argument(
        "--lang", choices=("en", "zh_CN"), help="language; otherwise the one chosen before, or the system's"
    )
    parser.add_argument("--theme", choices=("light", "dark", "system"), help="colours; otherwise those chosen before")
    parser.add_argument(
        "--scale",
        type=int,
        choices=range(100, 401),
        default=0,
        metavar="PERCENT",
        help="size of everything; otherwise the one chosen before, or as the screen asks",
    )
    parser.add_argument("--home", metavar="DIR", type=Path, help="profile folder; otherwise BILLBUDDY_HOME")
    parser.add_argument("--verbose", action="store_true", help="log to the terminal")
    parser.epilog = f"With --as, {PASSWORD_VARIABLE} signs in at once."
    return parser.parse_args(arguments)


def open_application(options: argparse.Namespace, profile: Profile) -> tuple[TkWindows, Application]:
    """The windows and their coordinator, not started yet. Raises TclError where there is no display."""
    from desktop_client.windows.application import TkWindows

    mode = options.theme or profile.setting("theme", "light")
    windows = TkWindows(mode, scale=options.scale / 100 or _number(profile.setting("scale")))
    from desktop_client.app import Options
    from desktop_client.presenters.app import Application

    lang = options.lang or profile.setting("lang") or system_language()
    chosen = Options(lang=lang, server=options.invite or options.server, member_id=options.member)
    application = Application(windows, profile, chosen)

    def remember_language(which: str) -> None:
        profile.set_setting("lang", which)
        application.redraw()

    windows.on_scale = lambda wish: profile.set_setting("scale", f"{wish:g}")
    windows.on_theme = lambda mode: profile.set_setting("theme", mode)
    windows.on_language = remember_language
    return windows, application


def main(arguments: list[str] | None = None) -> int:
    """Run until the main window is closed. Returns the exit status."""
    gc.set_threshold(YOUNG_OBJECTS)
    no_core_dumps()
    options = parse(arguments)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.WARNING)
    set_language(options.lang or system_language())
    from desktop_client.profile import Profile, ProfileError, default_folder
    from desktop_client.single import claim

    try:
        profile = Profile(options.home)
        set_language(options.lang or profile.setting("lang") or system_language())
        first = claim(profile.folder)
    except ProfileError as error:
        return _stop(str(error), in_window=True)
    except TimeoutError:
        text = _("BillBuddy is open already with this profile, but it does not answer. End it first.")
        return _stop(text, in_window=True)
    except OSError as error:
        return _stop(f"{options.home or default_folder()}: {error}", in_window=True)
    if first is None:
        return 0  # the window that is open already has come forward
    try:
        return _run(options, profile, first)
    finally:
        first.close()


def _run(options: argparse.Namespace, profile: Profile, first: First) -> int:
    state = fonts.look()
    if state != "good":
        sys.stderr.write(f"billbuddy: {fonts.sentence(state)}\n")
        if language() != "en":  # what has no letters here cannot be read
            set_language("en")
            options.lang = "en"
    try:
        if state == "none":
            from desktop_client.windows.picture import show_picture

            show_picture(fonts.sentence(state))
            return 1
        windows, application = open_application(options, profile)
    except tkinter.TclError as error:
        logging.getLogger(__name__).debug("Tk says: %s", error)
        return _stop(_("There is no display to open a window on. billbuddy-cli is the same client without a window."))
    first.listen(lambda: windows.call_soon(windows.come_forward))
    password = os.environ.pop(PASSWORD_VARIABLE, "") if options.member else ""
    try:
        application.start(password)
        if state != "good" and profile.setting(FONTS_TOLD) != state:
            windows.notice(fonts.sentence(state))
            profile.set_setting(FONTS_TOLD, state)
        windows.run()
    finally:
        application.stop()
        windows.destroy()
    return 0


def _number(text: str) -> float:
    """A number that was kept; 0 for anything else, as a damaged setting must not keep the program from starting."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _stop(sentence: str, *, in_window: bool = False) -> int:
    """Says why the program cannot start: whoever started it from a menu sees no terminal."""
    sys.stderr.write(f"billbuddy: {sentence}\n")
    if in_window:
        from desktop_client.windows.notice import show_alone

        show_alone(sentence)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
