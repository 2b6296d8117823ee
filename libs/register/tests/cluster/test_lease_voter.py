"""The contract of voters on the API server that KUBECONFIG names, in a namespace of its own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from junctor_register.lease_voter import LeaseVoter
from kubernetes.client import CoreV1Api, V1Namespace, V1ObjectMeta
from kubernetes.config import new_client_from_config
from voter_contract import *  # noqa: F403
from voter_contract import Voters


@pytest.fixture
def voters() -> Iterator[Voters]:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    client = new_client_from_config()
    namespace = f"junctor-register-{uuid.uuid4().hex[:8]}"
    CoreV1Api(client).create_namespace(V1Namespace(metadata=V1ObjectMeta(name=namespace)))
    yield lambda: LeaseVoter(client, namespace, "router", timeout=10)
    CoreV1Api(client).delete_namespace(namespace)
