"""Measure the figures of the README on this machine.

    python3 build_scripts/bench.py routing | idle | ledger | payments | hostile | returning [--json]

Each benchmark starts a real server over TLS on loopback (ledger: the payment ledger on a file), takes the median of
several runs and counts the CPU-seconds of the server processes from the operating system's accounting.
`--json` prints one document: {"benchmark", "machine", "figures": [{"name", "value", "unit", "where"}]}.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from build_scripts import common

BENCHMARKS = ("routing", "idle", "ledger", "payments", "hostile", "returning")


def processor() -> str:
    """The processor's name as Linux tells it; elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": processor(),
        "cores": cores,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def measure(name: str) -> dict[str, Any]:
    figures = [asdict(figure) for figure in importlib.import_module(f"benchmarks.{name}").run()]
    return {"benchmark": name, "machine": machine(), "figures": figures}


def as_text(document: dict[str, Any]) -> str:
    about = document["machine"]
    lines = [f"{document['benchmark']} on {about['processor']}, {about['cores']} cores, Python {about['python']}"]
    for figure in document["figures"]:
        where = ", ".join(f"{key} {value}" for key, value in figure["where"].items())
        value = f"{figure['value']:,.0f}" if figure["value"] >= 100 else f"{figure['value']:,.2f}"
        lines.append(f"  {figure['name']:38} {value:>12} {figure['unit']}  ({where})")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.py", description="Measure BillBuddy on this machine.")
    parser.add_argument("benchmark", choices=BENCHMARKS)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    try:
        common.enter_venv(Path(__file__).resolve(), common.ensure_venv("test"))
    except common.SetupError as error:
        common.say(str(error))
        return 1
    document = measure(arguments.benchmark)
    common.say(json.dumps(document) if arguments.json else as_text(document))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
