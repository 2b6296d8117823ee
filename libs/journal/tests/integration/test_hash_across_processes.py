"""Hashes do not depend on the process: its hash seed, the order in which streams came."""

import subprocess
import sys
from pathlib import Path


def test_equal_states_have_equal_hashes_in_every_process():
    script = """
import sys; sys.path.insert(0, sys.argv[1])
from junctor.journal.v1 import journal_pb2 as pb
from tally_service import new_fold, ask
from tally_messages import tally_pb
fold = new_fold()
for stream in sys.argv[2]:
    body = tally_pb.AddRequest(amount=ord(stream)); fold.apply(ask("x", body, stream), body, 1)
print(fold.hash().hex())
"""
    parts = str(Path(__file__).parent.parent / "parts")
    hashes = {
        subprocess.run(
            [sys.executable, "-c", script, parts, order], capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for order, seed in (("abcd", "1"), ("dbca", "2"))
    }  # fmt: skip
    assert len(hashes) == 1
