"""Who may import whom: the rules of import-linter in setup.cfg, and the ones that it cannot say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.style import sources

ROOMS = set(sources.PACKAGES)


def imported(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Every imported module with the statement that does it; `from a import b` counts as `a.b`."""
    for node in ast.walk(sources.tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def foreign_imports(room: str, allowed: tuple[str, ...]) -> list[str]:
    """Imports of our own rooms that `room` may not make."""
    return [
        f"{sources.where(path, node)} imports {name}"
        for path in sources.modules(room)
        for node, name in imported(path)
        if name.split(".")[0] in ROOMS and not name.startswith(allowed)
    ]


def test_the_ground_floor_imports_nobody() -> None:
    assert foreign_imports("host", ("host",)) == []


def test_the_protocol_imports_nobody() -> None:
    assert foreign_imports("im_protocol", ("im_protocol",)) == []


def test_the_chat_server_imports_nothing_of_payment() -> None:
    assert foreign_imports("im_server", ("im_server", "im_protocol", "assets", "host")) == []


def test_the_payment_subsystem_imports_only_the_protocol() -> None:
    assert foreign_imports("payment", ("payment", "im_protocol", "host")) == []


def test_the_payment_contract_imports_nothing_of_the_subsystem() -> None:
    assert foreign_imports("payment/contract", ("payment.contract", "im_protocol")) == []


def test_the_client_knows_only_the_protocol_and_the_payment_contract() -> None:
    allowed = ("desktop_client", "im_protocol", "payment.contract", "assets", "host")
    assert foreign_imports("desktop_client", allowed) == []


def test_presenters_do_not_know_tkinter() -> None:
    wrong = [
        sources.where(path, node)
        for path in sources.modules("desktop_client/presenters")
        for node, name in imported(path)
        if name.startswith(("tkinter", "PIL", "desktop_client.windows", "desktop_client.widgets"))
    ]
    assert wrong == []


def test_benchmarks_use_public_names_only() -> None:
    private = [
        f"{sources.where(path, node)} imports {name}"
        for path in sources.modules("benchmarks")
        for node, name in imported(path)
        if any(part.startswith("_") and not part.startswith("__") for part in name.split("."))
    ]
    assert private == []
