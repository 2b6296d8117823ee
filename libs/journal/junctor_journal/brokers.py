"""Where Kafka is, and how one is let in."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Brokers:
    """`addresses`: host:port, separated by commas. With `tls` connections are encrypted; with `user` one logs in by SASL.

    `mechanism`: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. A client certificate, where brokers want one, is part of `tls`.
    """

    addresses: str
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    mechanism: str = "SCRAM-SHA-512"

    @property
    def protocol(self) -> str:
        """As Kafka's `security.protocol`."""
        return f"SASL_{self._transport}" if self.user else self._transport

    @property
    def _transport(self) -> str:
        return "PLAINTEXT" if self.tls is None else "SSL"

    def options(self) -> dict[str, Any]:
        """The parameters of aiokafka's clients."""
        found: dict[str, Any] = {"bootstrap_servers": self.addresses, "security_protocol": self.protocol}
        if self.protocol == "PLAINTEXT":
            del found["security_protocol"]
        if self.tls is not None:
            found["ssl_context"] = self.tls
        if self.user:
            found |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return found

    def __str__(self) -> str:
        return self.addresses


def brokers(at: str | Brokers) -> Brokers:
    """Plain addresses are brokers that let everybody in."""
    return at if isinstance(at, Brokers) else Brokers(at)
