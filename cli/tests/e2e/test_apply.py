"""`junctor apply` against a running directory: look, apply, mistakes with their lines, revert."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
from junctor_local import tokens
from junctor_local.site import Site

DEMO = Path(__file__).parents[3] / "demo" / "tenant.yaml"


@pytest.fixture
async def apply(tmp_path):
    async with Site(tmp_path / "site", free_ports=True, services=("directory",)) as site:
        token = tokens.mint(site.key, "ann", "demo", ["administrator"])

        async def run(*arguments):
            command = [sys.executable, "-m", "junctor_cli", "apply", *map(str, arguments)]
            command += ["--address", site.address("directory"), "--token", token]
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await asyncio.wait_for(process.communicate(), 60)
            return process.returncode, output.decode()

        yield run


async def test_a_tenant_file_comes_into_force_and_goes_back(apply, tmp_path):
    code, shown = await apply("-f", DEMO, "--dry-run")
    assert code == 0 and "+ queue loans" in shown and "this was a dry run" in shown
    code, shown = await apply("-f", DEMO)
    assert code == 2 and "add --yes" in shown
    code, shown = await apply("-f", DEMO, "--yes")
    assert code == 0 and "demo is at revision 1" in shown
    code, shown = await apply("-f", DEMO, "--yes")
    assert code == 0 and "Nothing to change" in shown

    changed = tmp_path / "changed.yaml"
    changed.write_text(DEMO.read_text().replace("device_password: demo-1001", "device_password: another"))
    code, shown = await apply("-f", changed, "--yes")
    assert code == 0 and "~ agent alice" in shown and "changed" in shown and "another" not in shown

    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(DEMO.read_text().replace("plan: loans", "plan: loan"))
    line = next(n for n, text in enumerate(wrong.read_text().splitlines(), 1) if "plan: loan," in text)
    code, shown = await apply("-f", wrong, "--yes")
    assert code == 1
    assert (
        f"{wrong}:{line}: queue 'loans': plan 'loan' does not exist; did you mean 'loans'? Known plans: cards" in shown
    )
    wrong.write_text(DEMO.read_text().replace("product.loans >= 3\n", "product.loan >= 3\n"))
    line = next(n for n, text in enumerate(wrong.read_text().splitlines(), 1) if "product.loan >= 3" in text)
    code, shown = await apply("-f", wrong, "--yes")
    assert code == 1
    assert f"{wrong}:{line}: plan 'loans': 'product.loan >= 3', column 1: attribute 'product.loan' does not" in shown

    hopeless = tmp_path / "hopeless.yaml"
    hopeless.write_text(DEMO.read_text().replace("product.wealth >= 1\n", "product.wealth >= 10\n"))
    line = next(n for n, text in enumerate(hopeless.read_text().splitlines(), 1) if "product.wealth >= 10" in text)
    code, shown = await apply("-f", hopeless, "--dry-run")
    assert code == 0
    assert f"{hopeless}:{line}: Warning: plan 'wealth': no agent meets 'product.wealth >= 10' (the highest" in shown

    code, shown = await apply("--revert", 2, "--yes")
    assert code == 0 and re.search("Revision 2 is undone: demo is at revision 3", shown)
    code, shown = await apply("--revert", 99, "--yes")
    assert code == 1 and "There is no revision 99" in shown
