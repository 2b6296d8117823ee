"""Which ports a local site listens on: stable ones, a block of one's choice, or free ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

from junctor_local.ports import free_port, free_ports, port_is_free, release

HOST = "127.0.0.1"

# The services, in the order in which a site starts them.
SERVICES = ("directory", "router", "ivr", "recording", "cti", "omnichannel", "analytics", "gateway")

# Name of a port, its standard number, and what it is for people. All lie below 32768, where Linux takes the ports of
# outgoing connections from: one of those would hold a port that nobody listens on.
_STANDARD: tuple[tuple[str, int, str], ...] = (
    ("kafka", 19092, "Kafka"),
    ("kafka_controller", 19093, "Kafka's controller"),
    ("clickhouse_tcp", 19000, "ClickHouse, native protocol"),
    ("clickhouse_http", 18123, "ClickHouse, HTTP"),
    ("media_ng", 12223, "junctor-media, ng protocol"),
    ("media_dtmf", 12224, "digits from junctor-media to cti"),
    ("issuer", 18081, "token issuer"),
    ("sip", 15060, "SIP"),
    ("http", 18080, "gateway, HTTP"),
    ("web_chat", 18090, "omnichannel, WebSocket"),
    *((service, 15051 + index, f"{service}, gRPC") for index, service in enumerate(SERVICES)),
    ("kafka_far", 19094, "Kafka, for the other site"),
    ("voter", 15049, "the site's voter"),
)
OF_TWO = ("kafka_far", "voter")
"""Ports that a site listens on only where there is another one."""
_RTP_FIRST, _RTP_LAST = 16400, 17999
# In a block of one's choice: single ports from its start, RTP from this far behind it, this many.
_BLOCK_RTP_OFFSET, _BLOCK_RTP_COUNT = 100, 1000
_FREE_RTP_COUNT = 200


class PortInUse(RuntimeError):
    """Ports of the site are taken; the text names each with its holder and says how to choose others."""


@dataclass(frozen=True, slots=True)
class SitePorts:
    """The site's ports by name, and the range for RTP (both ends included)."""

    numbers: Mapping[str, int]
    rtp_first: int
    rtp_last: int

    def address(self, name: str) -> str:
        """`name`'s address, host:port."""
        return f"{HOST}:{self.numbers[name]}"

    def in_use(self, names: Iterable[str] | None = None) -> list[str]:
        """One sentence for each port that something else listens on; `names` limits what is looked at."""
        about = {name: text for name, _, text in _STANDARD}
        taken = [name for name in (names or self.numbers) if not port_is_free(self.numbers[name], HOST)]
        return [f"Port {self.numbers[name]} ({about[name]}) is in use{_holder(self.numbers[name])}." for name in taken]


def standard_ports() -> SitePorts:
    """The documented ports."""
    return SitePorts({name: number for name, number, _ in _STANDARD}, _RTP_FIRST, _RTP_LAST)


def ports_from(first: int) -> SitePorts:
    """A block that begins at `first`. Raises ValueError if it would leave the range 1024 to 65535."""
    last = first + _BLOCK_RTP_OFFSET + _BLOCK_RTP_COUNT - 1
    if first < 1024 or last > 65535:
        raise ValueError(f"ports {first} to {last} are not all between 1024 and 65535")
    numbers = {name: first + index for index, (name, _, _) in enumerate(_STANDARD)}
    return SitePorts(numbers, first + _BLOCK_RTP_OFFSET, last)


def free_site_ports() -> SitePorts:
    """Free ports that stay reserved for this process."""
    rtp = free_ports(_FREE_RTP_COUNT)
    return SitePorts({name: free_port() for name, _, _ in _STANDARD}, rtp[0], rtp[-1])


def release_ports(ports: SitePorts) -> None:
    """For free ports: others of this process may have them now."""
    release([*ports.numbers.values(), *range(ports.rtp_first, ports.rtp_last + 1)])


def _holder(port: int) -> str:
    """Who listens on the port, as the end of a sentence; empty if it cannot be known."""
    for connection in psutil.net_connections(kind="inet"):
        if connection.laddr and connection.laddr.port == port and not connection.raddr and connection.pid:
            try:
                command = " ".join(psutil.Process(connection.pid).cmdline())
            except psutil.Error:
                command = ""
            return f" by process {connection.pid} ({command[:80]})" if command else f" by process {connection.pid}"
    return ""
