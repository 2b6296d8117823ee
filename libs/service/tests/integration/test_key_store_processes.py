"""The services of a site open one key store at the same moment, each in its own process."""

import subprocess
import sys

from junctor_service.personal_data import open_sealer
from junctor_service.settings import CommonSettings

PROGRAM = """
import sys
from pathlib import Path
from junctor_service.personal_data import open_sealer
from junctor_service.settings import CommonSettings
print("ready", flush=True)
sys.stdin.readline()
sealer = open_sealer(CommonSettings(jwks="none", key_store_dir=Path(sys.argv[1])))
sealed = [sealer.seal_text("words", "acme", f"c{n}") for n in range(20)]
print(" ".join(sealed), flush=True)
sys.stdin.readline()
"""


def test_they_make_one_master_key_and_one_key_per_contact(tmp_path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "keys")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        values = [process.stdout.readline().split() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [len(sealed) for sealed in values] == [20] * 6
    for of_contact in zip(*values, strict=True):
        assert len({sealed.split(":")[2] for sealed in of_contact}) == 1

    sealer = open_sealer(CommonSettings(jwks="none", key_store_dir=tmp_path / "keys"))
    assert {sealer.unseal_text(sealed, "acme") for of_process in values for sealed in of_process} == {"words"}
    sealer.close()
