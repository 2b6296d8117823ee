"""Where the voters are, as settings say it: host:port of a voter's process, or a Lease behind an API server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from junctor_register.grpc_voter import GrpcVoter
from junctor_register.voter import Voter

_PLACE = re.compile(
    r"(?P<name>[a-z][a-z0-9-]{0,15})=(?:lease:(?P<namespace>[a-z0-9-]{1,63})(?:@(?P<kubeconfig>.+))?|(?P<address>[^\s/@]+:\d+))"
)
_EXPECTED = "NAME=HOST:PORT, NAME=lease:NAMESPACE (the own cluster) or NAME=lease:NAMESPACE@KUBECONFIG"


def voters_at(
    places: Sequence[str], register: str, channel: Callable[[str], Any], *, timeout: float = 0.8
) -> Mapping[str, Voter]:
    """The voters for a register, by name. `channel` gives a gRPC channel to host:port with a token of the role `register`.

    Two sites have the voters `<site>`, `<other site>` and one of another name, the witness; without a witness, two. Raises
    ValueError with a sentence for a place that cannot be read, a name twice, or a number other than two or three.
    """
    found: dict[str, Voter] = {}
    for place in places:
        parts = _PLACE.fullmatch(place.strip())
        if parts is None:
            raise ValueError(f"{place!r} is not a voter's place; expected {_EXPECTED}.")
        if parts["name"] in found:
            raise ValueError(f"Two voters are called {parts['name']}; each has a name of its own.")
        if parts["address"]:
            found[parts["name"]] = GrpcVoter(channel(parts["address"]), register, timeout=timeout)
        else:
            found[parts["name"]] = _lease(parts["namespace"], parts["kubeconfig"], register, timeout)
    if len(found) not in {2, 3}:
        raise ValueError(f"There are {len(found)} voters; expected two sites and a witness, or two sites without one.")
    return found


def _lease(namespace: str, kubeconfig: str | None, register: str, timeout: float) -> Voter:
    # Imported where it is used: the client takes a second and 50 MB, and most installations have no Lease among the voters.
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import ConfigException, load_incluster_config, new_client_from_config

    from junctor_register.lease_voter import LeaseVoter

    settings = Configuration()
    # The next round asks again; until then a request that is repeated would only be late.
    settings.retries = False
    try:
        if kubeconfig:
            client = new_client_from_config(kubeconfig, client_configuration=settings)
        else:
            load_incluster_config(settings)
            client = ApiClient(settings)
    except (ConfigException, OSError) as error:
        where = kubeconfig or "this pod's service account"
        raise ValueError(f"The API server of the Lease in {namespace} cannot be had from {where}: {error}") from error
    return LeaseVoter(client, namespace, register, timeout=timeout)
