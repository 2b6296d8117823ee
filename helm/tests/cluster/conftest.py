"""The API server that KUBECONFIG names, with a namespace of a test's own."""

import os
import uuid

import pytest
from kubernetes.client import CoreV1Api, V1Namespace, V1ObjectMeta
from kubernetes.config import new_client_from_config

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture
def client():
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    return new_client_from_config()


@pytest.fixture
def namespace(client):
    name = f"junctor-chart-{uuid.uuid4().hex[:8]}"
    CoreV1Api(client).create_namespace(V1Namespace(metadata=V1ObjectMeta(name=name, labels=RESTRICTED)))
    yield name
    CoreV1Api(client).delete_namespace(name)
