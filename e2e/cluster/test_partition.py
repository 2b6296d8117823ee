"""Two sites and a third place: who reaches whom while a link is cut, and what becomes of a Lease there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from junctor_local import places

from e2e.cluster.kubernetes import Cluster, CommandFailed
from e2e.stage import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEASE = "\n".join(
    [
        "apiVersion: coordination.k8s.io/v1",
        "kind: Lease",
        "metadata: {name: register, namespace: default, annotations: {register: '{}'}}",
        "spec: {holderIdentity: a}",
    ]
)
KUBECTL = str(places.cache() / "kubernetes" / "bin" / "kubectl")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places_of_voters() -> AsyncIterator[tuple[Cluster, Cluster]]:
    """Site b and the third place, with a Lease in it."""
    b, witness = Cluster("b"), Cluster("witness")
    try:
        await asyncio.gather(b.up(), witness.up())
        await witness.kubectl("apply", "-f", "-", input=LEASE)
        yield b, witness
    finally:
        await asyncio.gather(b.down(), witness.down())


async def reaches(site: Cluster, other: Cluster, *verb: str) -> bool:
    """Whether a site's node is answered by the API server of another one."""
    request = ["--kubeconfig", other.env["KUBECONFIG"], "--request-timeout=2s", *(verb or ("get", "lease", "register"))]
    try:
        await site.from_node(KUBECTL, *request)
    except CommandFailed:
        return False
    return True


async def test_a_cut_site_reaches_nobody_and_goes_on_by_itself(places_of_voters: tuple[Cluster, Cluster]):
    b, witness = places_of_voters
    assert await reaches(b, witness)
    await b.cut()
    try:
        assert not await reaches(b, witness)
        assert await reaches(witness, witness)
        assert await reaches(b, b, "get", "nodes")
    finally:
        await b.mend()
    await eventually(lambda: reaches(b, witness), 30, "the mended site reaches the third place")


async def test_a_write_to_the_lease_is_refused_where_another_was_first(places_of_voters: tuple[Cluster, Cluster]):
    b, witness = places_of_voters
    seen = json.loads(await witness.kubectl("get", "lease", "register", "-o", "json"))
    first, second = ({**seen, "spec": {**seen["spec"], "holderIdentity": holder}} for holder in ("b", "a"))
    written = witness.directory / "lease.json"
    written.write_text(json.dumps(first))
    assert await reaches(b, witness, "replace", "-f", str(written))
    with pytest.raises(CommandFailed, match="Conflict"):
        await witness.kubectl("replace", "-f", "-", input=json.dumps(second))
    assert (await witness.objects("lease"))[0]["spec"]["holderIdentity"] == "b"
