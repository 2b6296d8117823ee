"""A real broker with a listener that wants TLS and a login (SASL PLAIN)."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from junctor_journal.brokers import Brokers
from junctor_local.kafka import KafkaServer
from junctor_local.ports import free_port

from junctor_testkit.certificates import Authority

_USER, _PASSWORD = "junctor", "right"
_LOGIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{_USER}="{_PASSWORD}";'


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """`address`: host:port of the listener."""

    address: str
    authority: Authority

    def brokers(
        self, *, authority: Authority | None = None, password: str = _PASSWORD, encrypted: bool = True
    ) -> Brokers:
        """The way in, or one that is wrong as the arguments say."""
        known = authority or self.authority
        context = ssl.create_default_context(cafile=known.certificate) if encrypted else None
        return Brokers(self.address, context, _USER, password, "PLAIN")


@asynccontextmanager
async def secured_kafka(directory: Path) -> AsyncIterator[SecuredKafka]:
    """A broker with its files in `directory`, up while inside."""
    authority, port, plain, controller = Authority(directory / "tls"), free_port(), free_port(), free_port()
    pair = authority.sign("broker")
    open_to_all = f"SECURE://127.0.0.1:{port},PLAINTEXT://127.0.0.1:{plain}"
    properties = {
        "listeners": f"{open_to_all},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": open_to_all,
        "listener.security.protocol.map": "SECURE:SASL_SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listener.name.secure.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secure.plain.sasl.jaas.config": _LOGIN,
        "listener.name.secure.ssl.keystore.type": "PEM",
        "listener.name.secure.ssl.keystore.location": str(pair.both),
    }
    async with KafkaServer(directory / "kafka", plain, controller, properties=properties):
        yield SecuredKafka(f"127.0.0.1:{port}", authority)
