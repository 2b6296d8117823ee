# ruff: noqa: RUF009 setting() is a dataclass field
"""Settings of omnichannel."""

from __future__ import annotations

from dataclasses import dataclass

from junctor_service.settings import CommonSettings, Duration, HostPort, Secret, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class OmnichannelSettings(CommonSettings):
    web_listen: HostPort = setting("Where customers' WebSockets come in.", default=HostPort("127.0.0.1", 0))
    customer_token_secret: Secret | None = setting(
        "Signs customers' tokens; equal in all processes of all sites. Derived from JUNCTOR_TOKEN_SECRET if not given.",
        default=None,
    )
    customer_token_lifetime: Duration = setting("How long a customer may come back.", default=Duration(86_400.0))
    idle_timeout: Duration = setting("Silence after which a conversation is closed.", default=Duration(600.0))
    reconnect_grace: Duration = setting("How long a broken connection may stay away.", default=Duration(90.0))
    route_patience: Duration = setting("How long the router is asked for before giving up.", default=Duration(60.0))
    messages_per_second: float = setting("Frames that a customer may send in a second.", default=5.0)
    message_burst: int = setting("Frames that a customer may send at once.", default=20)
    most_connections: int = setting("WebSockets at once in this process.", default=10_000)
    hello_timeout: Duration = setting("How long a connection may wait with its hello.", default=Duration(10.0))
    idle_connection_ping: Duration = setting("Pause between pings to a customer.", default=Duration(20.0))
    other_sites: tuple[str, ...] | None = setting(
        "omnichannel of the other site: site=host:port. Agents here reach the conversations there.",
        default=None,
        pattern=r"[a-z][a-z0-9-]{0,15}=[A-Za-z0-9.-]+:\d{1,5}",
    )
    other_sites_web: tuple[str, ...] | None = setting(
        "Where customers' WebSockets reach the other site: site=wss://host/path. Told to who is to connect there.",
        default=None,
        pattern=r"[a-z][a-z0-9-]{0,15}=wss?://.+",
    )
