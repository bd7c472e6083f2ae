"""Memory that one busy minute took goes back to the system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import sys, threading
from im_server import memory
memory.TRIM_SECONDS = 0.2
memory.give_back()

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

before = resident()
kept = []
def busy():
    blocks = [bytearray(3_000 + n % 900) for n in range(20_000)]
    kept.append(blocks[::500])
threads = [threading.Thread(target=busy) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
grown = resident()
done = threading.Event()
for _ in range(50):
    if resident() - before < (grown - before) / 3: break
    done.wait(0.1)
print(before, grown, resident())
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads resident memory from /proc")
def test_freed_memory_between_kept_blocks_goes_back() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    before, grown, after = map(int, done.stdout.split())
    assert after - before < (grown - before) / 3 or grown - before < 4 * 2**20
