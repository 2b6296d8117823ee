"""A voter in a Kubernetes Lease (coordination.k8s.io/v1): the object is an annotation, its resourceVersion the version.

The API server refuses an update that names an old resourceVersion (409 Conflict), and etcd has it on the disk before it
answers. The Lease's own fields are left empty: they belong to leader election by wall clocks.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import urllib3
from kubernetes.client import ApiClient, CoordinationV1Api, V1Lease, V1ObjectMeta
from kubernetes.client.exceptions import ApiException

from junctor_register.holdings import Register, Versioned
from junctor_register.voter import VoterUnavailable, Written
from junctor_register.wire import Unreadable, from_json, to_json

ANNOTATION = "junctor.io/register"
_CONFLICT, _NOT_FOUND = 409, 404


class LeaseVoter:
    """The Lease `junctor-register-<register>` of a namespace; made by the first write.

    Needs the verbs get, create and update on leases. The client is synchronous, so each call runs in a thread of the voter's
    own: an API server that does not answer keeps no other voter waiting. `timeout` (seconds) ends a call.
    """

    def __init__(self, client: ApiClient, namespace: str, register: str, *, timeout: float = 0.8) -> None:
        self._api = CoordinationV1Api(client)
        self._namespace = namespace
        self._name = f"junctor-register-{register}"
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(2, thread_name_prefix=f"voter-{namespace}")

    async def read(self) -> Versioned:
        """See `Voter.read`."""
        return self._versioned(await self._found())

    async def write(self, value: Register, version: str) -> Written:
        """See `Voter.write`."""
        meta = V1ObjectMeta(
            name=self._name,
            namespace=self._namespace,
            annotations={ANNOTATION: to_json(value)},
            resource_version=version or None,
        )
        body = V1Lease(metadata=meta)
        if version:
            call = partial(self._api.replace_namespaced_lease, self._name, self._namespace, body)
        else:
            call = partial(self._api.create_namespaced_lease, self._namespace, body)
        try:
            made = await self._in_thread(call)
        except ApiException as error:
            # Another version stands there, or none any more: a Lease that was deleted is begun anew by a write of version "".
            if error.status in {_CONFLICT, _NOT_FOUND}:
                return Written(False, await self.read())
            raise _unavailable(error) from error
        return Written(True, self._versioned(made))

    async def _found(self) -> Any:
        try:
            return await self._in_thread(partial(self._api.read_namespaced_lease, self._name, self._namespace))
        except ApiException as error:
            if error.status == _NOT_FOUND:
                return None
            raise _unavailable(error) from error

    async def _in_thread(self, call: Any) -> Any:
        try:
            asked = partial(call, _request_timeout=self._timeout)
            return await asyncio.get_running_loop().run_in_executor(self._threads, asked)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise VoterUnavailable(f"The API server of {self._name} does not answer: {error}") from error

    def _versioned(self, lease: Any) -> Versioned:
        if lease is None:
            return Versioned()
        text = (lease.metadata.annotations or {}).get(ANNOTATION)
        if text is None:
            raise Unreadable(
                f"The Lease {self._namespace}/{self._name} has no annotation {ANNOTATION}; something else uses it."
            )
        return Versioned(lease.metadata.resource_version, from_json(text))


def _unavailable(error: ApiException) -> VoterUnavailable:
    """With the API server's own sentence, which names the account and the right that it lacks."""
    try:
        said = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        said = error.reason
    return VoterUnavailable(f"The API server answers {error.status}: {said}")
