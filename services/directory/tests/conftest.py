"""The directory in this process, on a real Kafka of its own."""

import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from junctor.directory.v1 import directory_pb2_grpc
from junctor_directory.bootstrap import bind
from junctor_directory.settings import DirectorySettings
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_local import tokens
from junctor_local.kafka import KafkaServer
from junctor_local.ports import free_port
from junctor_service.client import Channels
from junctor_service.settings import load_settings
from junctor_service.token_source import StaticToken

TOPICS = Path(__file__).parents[3] / "topics.yaml"


class Place:
    """Where the directory runs: a broker, keys and a state folder that outlive one process."""

    def __init__(self, folder, bootstrap):
        self.folder = folder
        self.bootstrap = bootstrap
        self.key = tokens.signing_key(folder)
        (folder / "jwks.json").write_text(json.dumps(self.key.jwks()))

    @asynccontextmanager
    async def running(self, state="state"):
        """The service; its address in `.address`, the process's state folder named `state`."""
        port = free_port()
        environ = {
            "JUNCTOR_KAFKA_BOOTSTRAP": self.bootstrap,
            "JUNCTOR_STATE_DIR": str(self.folder / state),
            "JUNCTOR_JWKS": str(self.folder / "jwks.json"),
            "JUNCTOR_GRPC_LISTEN": f"127.0.0.1:{port}",
            "JUNCTOR_TRACING": "false",
            "JUNCTOR_TOKEN_URL": "http://127.0.0.1:9/token",
            "JUNCTOR_TOKEN_SECRET": "not used: the directory calls nobody",
        }
        service = bind(load_settings(DirectorySettings, service="directory", environ=environ))
        await service.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await service.stop()

    @asynccontextmanager
    async def client(self, address, role="administrator", tenant="demo"):
        channels = Channels(StaticToken(tokens.mint(self.key, "ann", tenant, [role])))
        try:
            yield directory_pb2_grpc.DirectoryServiceStub(channels.channel(address))
        finally:
            await channels.close()


@pytest.fixture
async def place(tmp_path):
    async with KafkaServer(tmp_path / "kafka", port=0, controller_port=0, heap_mb=256) as kafka:
        log = KafkaLog(kafka.bootstrap, client_id="setup")
        await log.start()
        declared = topics.declared(TOPICS)
        await log.ensure_topics([one for one in declared if ".directory." in one.name or "audit" in one.name])
        await log.stop()
        yield Place(tmp_path, kafka.bootstrap)
