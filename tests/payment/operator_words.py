"""Every command of the payment subsystem's operator, taken from its parser, with arguments that are right."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from payment.operator_parser import parser
from tests.payment.house import BILLS, LIN

FILES = {
    "account": "member_id,name,pin,balance\n10007,Li Na,161803,75.25\n",
    "biller": "id,name\n200,Gas\n",
    "customer": "biller_id,customer_number,place,member_id\n101,88201402,Room 402,10001\n",
    "bill": BILLS.replace("-01", "-02").replace("E-1", "E-2").replace("W-1", "W-2").replace("M-1", "M-2"),
}
WORDS: dict[tuple[str, ...], list[str]] = {
    ("account", "open"): ["--member=10009", "--name=Zhao", "--pin-stdin"],
    ("account", "top-up"): [f"--member={LIN}", "--amount=1.00"],
    ("account", "show"): [f"--member={LIN}"],
    ("refund",): ["--transfer=3", "--amount=1.00", "--why=x"],
    ("pin", "reset"): [f"--member={LIN}", "--pin-stdin", "--why=x"],
    ("limits", "set"): ["--single=900.00"],
    ("biller", "add"): ["--name=Gas"],
    ("bill", "cancel"): ["2", "--why=x"],
    ("keys", "rotate"): ["--overlap-hours=1"],
    ("audit", "record"): ["--action=a", "--subject=b"],
}


def leaves(top: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the parser, by its words."""
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from leaves(below, (*path, name))
            return
    yield path, top


LEAVES = dict(leaves(parser()))
WRITES = [path for path, leaf in LEAVES.items() if leaf.get_default("writes")]
