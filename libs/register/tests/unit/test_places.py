"""Where voters are, as settings say it."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from junctor_register.grpc_voter import GrpcVoter
from junctor_register.lease_voter import LeaseVoter
from junctor_register.places import voters_at

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


async def test_processes_and_leases(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "third place.yaml"
    kubeconfig.write_text(KUBECONFIG)
    asked: list[str] = []

    def channel(address: str) -> grpc.aio.Channel:
        asked.append(address)
        return grpc.aio.insecure_channel(address)

    places = ["a=voter.a.example:7000", " b=10.0.0.2:7000", f"witness=lease:junctor@{kubeconfig}"]
    found = voters_at(places, "router", channel)
    assert list(found) == ["a", "b", "witness"]
    assert asked == ["voter.a.example:7000", "10.0.0.2:7000"]
    assert [type(voter) for voter in found.values()] == [GrpcVoter, GrpcVoter, LeaseVoter]


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        (["a=x:1", "b"], "'b' is not a voter's place"),
        (["a=x:1", "b=x"], "'b=x' is not a voter's place"),
        (["a=x:1", "a=y:1"], "Two voters are called a"),
        (["a=x:1"], "There are 1 voters"),
        (["a=x:1", "b=x:2", "c=x:3", "d=x:4"], "There are 4 voters"),
        (["a=x:1", "b=lease:junctor@/nowhere"], "cannot be had from /nowhere"),
        (["a=x:1", "b=lease:junctor"], "cannot be had from this pod's service account"),
    ],
)
async def test_bad_places(places: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        voters_at(places, "router", grpc.aio.insecure_channel)
