"""Style as failing tests: what no linter knows about this project."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.style import sources

LINES_MAX = 400
COMMAND_LINES = {"__main__.py", "cli.py", "cli_printer.py", "console.py"}
LOOK = {sources.ROOT / "desktop_client" / name for name in ("theme.py", "palette.py")}
COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
FONT_FAMILY = re.compile(r"(?i)^(noto (sans|serif|color)|dejavu|arial$|helvetica|segoe ui|microsoft yahei|courier)")
COLOUR_OPTIONS = {"fg", "bg", "foreground", "background", "fill", "outline", "highlightbackground", "insertbackground"}
NAMED_COLOURS = {"white", "black", "red", "green", "blue", "yellow", "orange", "gray", "grey"}


def test_no_float_comes_near_money() -> None:
    wrong = []
    for path in sources.modules("payment"):
        for node in ast.walk(sources.tree(path)):
            is_name = isinstance(node, ast.Name) and node.id == "float"
            is_number = isinstance(node, ast.Constant) and isinstance(node.value, float | complex)
            if is_name or is_number:
                wrong.append(sources.where(path, node))
    assert wrong == []


def test_money_is_never_divided_with_a_slash() -> None:
    """`/` of integers makes a float; `/` of paths is fine, so only a number on the right side is looked for."""
    wrong = [
        sources.where(path, node)
        for path in sources.modules("payment")
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant)
        if isinstance(node.right.value, int)
    ]
    assert wrong == []


def test_only_command_lines_print() -> None:
    wrong = [
        sources.where(path, call)
        for path in sources.modules("im_protocol", "payment", "im_server", "desktop_client", "assets")
        if path.name not in COMMAND_LINES
        for call in sources.calls(path)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]
    assert wrong == []


def test_colours_and_fonts_are_only_in_the_theme() -> None:
    wrong = []
    for path in sources.modules("desktop_client"):
        if path in LOOK:
            continue
        texts = sources.docstrings(path)
        for node in ast.walk(sources.tree(path)):
            if id(node) not in texts and _is_look(node):
                wrong.append(sources.where(path, node))
            if isinstance(node, ast.keyword) and node.arg in COLOUR_OPTIONS and _is_named_colour(node.value):
                wrong.append(f"{sources.where(path, node.value)} {node.arg}")
    assert wrong == []


def _is_look(node: ast.AST) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and bool(COLOUR.fullmatch(text) or FONT_FAMILY.match(text))


def _is_named_colour(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in NAMED_COLOURS


def test_modules_are_short() -> None:
    long = {}
    for path in sources.modules(*sources.PACKAGES):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LINES_MAX:
            long[str(path.relative_to(sources.ROOT))] = lines
    assert long == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(sources.ROOT))
        for path in sources.modules(*set(sources.PACKAGES) - {"tests", "assets"})
        if path.read_text(encoding="utf-8").strip() and ast.get_docstring(sources.tree(path)) is None
    ]
    assert silent == []


def test_no_test_sleeps() -> None:
    wrong = [
        sources.where(path, call)
        for path in sources.modules("tests")
        for call in sources.calls(path)
        if sources.called_name(call) == "sleep" and not _waits_in_a_helper(path)
    ]
    assert wrong == []


def _waits_in_a_helper(path: Path) -> bool:
    """Pollers (`wait_until` with a deadline) live in helper modules; a test itself waits for a condition."""
    return not path.name.startswith("test_")


def test_every_broad_except_says_why() -> None:
    wrong = []
    for path in sources.modules("im_protocol", "payment", "im_server", "desktop_client"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(sources.tree(path)):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _raises_again(node):
                around = "".join(lines[node.lineno - 2 : node.lineno + 1]).replace("noqa: BLE001", "")
                if not re.search(r"#[\s-]*\w", around):
                    wrong.append(sources.where(path, node))
    assert wrong == []


def _is_broad(handler: ast.ExceptHandler) -> bool:
    broad = {"Exception", "BaseException"}
    return handler.type is None or (isinstance(handler.type, ast.Name) and handler.type.id in broad)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_nothing_is_left_unfinished() -> None:
    unfinished = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b|#.*\bX" + r"XX\b")
    wrong = [
        sources.where(path, number)
        for path in sources.modules(*sources.PACKAGES)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if unfinished.search(line)
    ]
    assert wrong == []
