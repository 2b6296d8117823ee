"""One contract for every voter: in memory, in a file, across gRPC, in a Kubernetes Lease."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from junctor.register.v1 import register_pb2_grpc
from junctor_register.file_voter import VoterFolder
from junctor_register.grpc_voter import GrpcVoter, VoterServicer
from junctor_register.lease_voter import LeaseVoter
from junctor_register.voter import MemoryVoter
from kubernetes.client import ApiClient, Configuration
from lease_api import LeaseApi
from voter_contract import *  # noqa: F403
from voter_contract import Voters


@pytest.fixture(params=["memory", "file", "grpc", "lease"])
async def voters(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Voters]:
    if request.param == "memory":
        shared = MemoryVoter()
        yield lambda: shared
    elif request.param == "lease":
        api = LeaseApi()
        settings = Configuration(host=api.url)
        yield lambda: LeaseVoter(ApiClient(settings), "junctor", "router", timeout=5)
        api.close()
    else:
        folder = VoterFolder(tmp_path / "voter")
        folder.take()
        if request.param == "file":
            yield lambda: folder.voter("router")
        else:
            server = grpc.aio.server()
            register_pb2_grpc.add_VoterServiceServicer_to_server(VoterServicer(folder), server)
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield lambda: GrpcVoter(channel, "router", timeout=5)
            await server.stop(None)
        folder.close()
