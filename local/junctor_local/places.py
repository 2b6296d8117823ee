"""Where the local stack keeps what it downloads and what it writes."""

import os
from pathlib import Path


def repository() -> Path:
    """The work tree that this package is installed from (editable)."""
    return Path(__file__).resolve().parents[2]


def cache() -> Path:
    """The folder of downloads and sites: `JUNCTOR_CACHE`, else `.local` in the work tree."""
    moved = os.environ.get("JUNCTOR_CACHE")
    return Path(moved).expanduser().resolve() if moved else repository() / ".local"


def kafka_jars() -> Path:
    """The folder of Kafka's jars, filled by `make setup`."""
    return cache() / "kafka" / "libs"


def kafka_classes() -> Path:
    """Kafka's classes in the form that the JVM maps, written by `make setup`; brokers start without it too, slower."""
    return cache() / "kafka" / "classes.jsa"


def node_modules() -> Path:
    """The folder of the npm packages, filled by `make setup`."""
    return cache() / "node" / "node_modules"


def clickhouse_library() -> Path:
    """ClickHouse as a shared library, from the npm package of the local stack."""
    return node_modules() / "@chdb" / "lib-linux-x64-gnu" / "libchdb.so"


def site_directory(name: str) -> Path:
    """The folder of the local site called `name`."""
    return cache() / "site" / name
