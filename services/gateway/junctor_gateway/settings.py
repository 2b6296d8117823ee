# ruff: noqa: RUF009 setting() is a dataclass field
"""Settings of `gateway`."""

from __future__ import annotations

from dataclasses import dataclass

from junctor_service.settings import CommonSettings, Duration, HostPort, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings(CommonSettings):
    """Where HTTP is served, for whom, and how much of it one request may use."""

    http_listen: HostPort = setting("Where HTTP is served; port 0: any.", default=HostPort("127.0.0.1", 8080))
    cors_origins: tuple[str, ...] = setting("Origins whose pages may call; `*`: every one. None if empty.", default=())
    body_limit: int = setting("The largest request body in bytes.", default=4 << 20, minimum=1024, maximum=8 << 20)
    body_timeout: Duration = setting("How long a request's body may take.", default=Duration(10.0), minimum=0.1)
    heartbeat: Duration = setting(
        "A quiet event stream gets a comment this often.", default=Duration(15.0), minimum=0.1
    )
    concurrency_limit: int = setting("More connections at a time are told 503.", default=4096, minimum=1)
    swagger_assets: str | None = setting(
        "URL of a folder with swagger-ui.css and swagger-ui-bundle.js; the public one if unset.",
        default=None,
        pattern="(https?:/)?/.*[^/]",
    )
