"""What the kernel says of the process's memory is what was asked for."""

import platform
import re
import subprocess
import sys

import pytest

ASKS = """
import re
from pathlib import Path
from junctor_router.adapters.huge_pages import HugePages

def large():
    return int(re.search(r"AnonHugePages: +(\\d+) kB", Path("/proc/self/smaps_rollup").read_text())[1]) << 10

kept = [str(number) * 20 for number in range(1_000_000)]
pages, before = HugePages(), large()
print(before, pages.collapse(), large(), pages.collapse(), kept[-1] == "999999" * 20)
"""


@pytest.mark.skipif(
    tuple(map(int, re.findall(r"\d+", platform.release())[:2])) < (6, 1), reason="this kernel has no MADV_COLLAPSE"
)
def test_memory_that_is_there_is_in_large_pages_afterwards():
    done = subprocess.run([sys.executable, "-c", ASKS], capture_output=True, text=True, check=True)
    before, asked, large, again, whole = done.stdout.split()
    assert int(asked) >= 40 << 20
    assert int(large) - int(before) >= int(asked) * 0.9
    assert int(again) >= int(asked)
    assert whole == "True"
