"""Tokens of a made-up issuer, a generated test service, and a real gRPC server around it."""

from __future__ import annotations

import importlib
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_tools import protoc

ROOT = Path(__file__).parents[3]


class Issuer:
    """Signs tokens; its public keys lie in a JWKS file."""

    def __init__(self, directory: Path) -> None:
        self.jwks = directory / "jwks.json"
        self.key = Ed25519PrivateKey.generate()
        self.key_id = "k1"
        self.publish({self.key_id: self.key})

    def publish(self, keys: dict[str, Any]) -> None:
        entries = []
        for key_id, key in keys.items():
            algorithm = (
                jwt.algorithms.OKPAlgorithm if isinstance(key, Ed25519PrivateKey) else jwt.algorithms.RSAAlgorithm
            )
            entries.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig"})
        self.jwks.write_text(json.dumps({"keys": entries}))

    def token(self, *, key: Any = None, key_id: str | None = None, algorithm: str = "EdDSA", **changed: Any) -> str:
        now = time.time()
        claims = {
            "iss": "junctor",
            "aud": "junctor",
            "sub": "ann",
            "tenant": "acme",
            "roles": ["supervisor"],
            "iat": now,
            "exp": now + 600,
            **changed,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, key or self.key, algorithm, headers={"kid": key_id or self.key_id})


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The generated code of probe.proto: `pb2`, `grpc`."""
    if "probe_pb2" not in sys.modules:
        out = tmp_path_factory.mktemp(f"probe{uuid.uuid4().hex[:8]}")
        folders = [ROOT / "proto", Path(__file__).parent, Path(protoc.__file__).parent / "_proto"]
        arguments = ["", *(f"-I{folder}" for folder in folders), f"--python_out={out}", f"--grpc_python_out={out}"]
        assert protoc.main([*arguments, "probe.proto"]) == 0
        sys.path.insert(0, str(out))
    pb2, grpc_module = importlib.import_module("probe_pb2"), importlib.import_module("probe_pb2_grpc")
    yield SimpleNamespace(pb2=pb2, grpc=grpc_module)


@pytest.fixture
def settings(issuer: Issuer, tmp_path: Path) -> Any:
    from junctor_service.settings import CommonSettings, load_settings

    environ = {"JUNCTOR_JWKS": str(issuer.jwks), "JUNCTOR_STATE_DIR": str(tmp_path / "state")}
    return load_settings(CommonSettings, service="router", environ=environ)


@pytest.fixture
async def serve(probe: SimpleNamespace, settings: Any) -> AsyncIterator[Callable[..., Any]]:
    """Starts a service around a servicer; gives its parts. Everything is stopped after the test."""
    from junctor_service.append import MemoryAppend
    from junctor_service.audit import MemoryAudit
    from junctor_service.health import Health
    from junctor_service.run import Service
    from junctor_service.server import GrpcServer
    from junctor_service.telemetry import Telemetry
    from junctor_service.verifier import verifier_from

    services = []

    async def start(servicer: Any, *, used: Any = settings) -> SimpleNamespace:
        append, audit, health = MemoryAppend(), MemoryAudit(), Health("router")
        telemetry = Telemetry("router", used, append)
        verifier = verifier_from(used)
        grpc_server = GrpcServer(
            "router",
            used,
            [(probe.grpc.add_ProbeServicer_to_server, servicer)],
            verifier=verifier,
            audit=audit,
            health=health,
            telemetry=telemetry,
        )
        service = Service("router", [telemetry, verifier, grpc_server], used, health=health)
        await service.start()
        services.append(service)
        return SimpleNamespace(
            service=service, audit=audit, append=append, telemetry=telemetry, health=health, address=grpc_server.address
        )

    yield start
    for service in services:
        await service.stop(time.monotonic() + 2)
