"""How Kafka and services are reached, from the environment: JUNCTOR_KAFKA_… and JUNCTOR_GRPC_TLS_AUTHORITY."""

from __future__ import annotations

from dataclasses import replace

import click
from junctor_journal.brokers import Brokers
from junctor_service.settings import ConnectionSettings, SettingsError, load_settings
from junctor_service.tls import brokers_from


def connections() -> ConnectionSettings:
    """Raises click's UsageError with a sentence for each value that cannot be used."""
    try:
        return load_settings(ConnectionSettings, service="cli")
    except SettingsError as error:
        raise click.UsageError("\n".join(error.sentences)) from error


def brokers_at(addresses: str) -> Brokers:
    """Kafka at these addresses, entered as the environment says."""
    try:
        return replace(brokers_from(connections()), addresses=addresses)
    except SettingsError as error:
        raise click.UsageError("\n".join(error.sentences)) from error
