"""What two sites know of each other is kept whole, and a site that was alone becomes one of two with its keys."""

from pathlib import Path

import pytest
from junctor_local import two_sites_plan
from junctor_local.tokens import signing_key
from junctor_local.two_sites_plan import WITNESS, DifferentIssuers, Straight, of_two, share_issuer, stable_plan


def test_a_plan_is_read_as_it_was_kept_and_only_its_owner_may(tmp_path: Path) -> None:
    plan = stable_plan(tmp_path, 22_000)
    assert two_sites_plan.kept(tmp_path) is None
    assert not of_two(tmp_path / "a")
    two_sites_plan.keep(plan, tmp_path)
    assert two_sites_plan.kept(tmp_path) == plan
    assert (tmp_path / "two-sites.json").stat().st_mode & 0o777 == 0o600
    assert of_two(tmp_path / "a")
    assert not of_two(tmp_path / "other")


def test_its_ports_are_all_different_and_its_secrets_stay(tmp_path: Path) -> None:
    first = stable_plan(tmp_path)
    two_sites_plan.keep(first, tmp_path)
    again = stable_plan(tmp_path, 22_000)
    assert (again.secret, again.master_key) == (first.secret, first.master_key)
    for plan in (first, again):
        numbers = [number for ports in plan.ports.values() for number in ports.numbers.values()]
        ranges = [range(ports.rtp_first, ports.rtp_last + 1) for ports in plan.ports.values()]
        assert len({*numbers, plan.witness_port}) == len(numbers) + 1
        assert not any(number in taken for number in (*numbers, plan.witness_port) for taken in ranges)
        assert len(set(plan.voters("", Straight()).values())) == len((*plan.ports, WITNESS))
    with pytest.raises(ValueError, match="not all between 1024 and 65535"):
        stable_plan(tmp_path, 63_500)


def test_a_site_that_was_alone_brings_its_keys(tmp_path: Path) -> None:
    kept = tmp_path / "a" / "state" / "keys"
    kept.mkdir(parents=True)
    (kept / "master.key").write_text("ab" * 32)
    (kept / "data_keys.sqlite").write_text("keys")
    assert stable_plan(tmp_path).master_key == "ab" * 32
    assert (two_sites_plan.keys(tmp_path) / "data_keys.sqlite").read_text() == "keys"


def test_both_have_one_issuer_and_two_that_were_alone_are_refused(tmp_path: Path) -> None:
    key = signing_key(tmp_path / "a" / "issuer")
    share_issuer(tmp_path)
    assert signing_key(tmp_path / "b" / "issuer").id == key.id
    share_issuer(tmp_path)
    (tmp_path / "b" / "issuer" / "signing-key.pem").unlink()
    signing_key(tmp_path / "b" / "issuer")
    with pytest.raises(DifferentIssuers, match="each was a site alone"):
        share_issuer(tmp_path)
