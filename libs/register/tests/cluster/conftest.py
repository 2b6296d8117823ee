"""The API server that KUBECONFIG names, with namespaces of a test's own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest
from kubernetes.client import ApiClient, CoreV1Api, V1Namespace, V1ObjectMeta
from kubernetes.config import new_client_from_config


@pytest.fixture
def client() -> ApiClient:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    return new_client_from_config()


@pytest.fixture
def new_namespace(client: ApiClient) -> Iterator[Callable[[], str]]:
    """Makes a namespace and gives its name; it is deleted after the test."""
    with ExitStack() as made:

        def make() -> str:
            name = f"junctor-register-{uuid.uuid4().hex[:8]}"
            CoreV1Api(client).create_namespace(V1Namespace(metadata=V1ObjectMeta(name=name)))
            made.callback(partial(CoreV1Api(client).delete_namespace, name))
            return name

        yield make
