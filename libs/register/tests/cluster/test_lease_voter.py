"""The contract of voters on a Lease of a real API server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from junctor_register.lease_voter import LeaseVoter
from kubernetes.client import ApiClient
from voter_contract import *  # noqa: F403
from voter_contract import Voters


@pytest.fixture
def voters(client: ApiClient, new_namespace: Callable[[], str]) -> Voters:
    namespace = new_namespace()
    return lambda: LeaseVoter(client, namespace, "router", timeout=10)
