# ruff: noqa: RUF009 setting() is a dataclass field
"""Settings of `analytics`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from junctor_service.settings import CommonSettings, Duration, HostPort, Secret, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsSettings(CommonSettings):
    """One process per site: it alone inserts the site's events."""

    clickhouse_url: str = setting("ClickHouse's HTTP interface, for inserts.", default="http://127.0.0.1:8123")
    clickhouse_native: HostPort = setting("ClickHouse's native port, for reports.", default=HostPort("127.0.0.1", 9000))
    clickhouse_tls: bool = setting("Whether the native port speaks TLS.", default=False)
    clickhouse_authority: Path | None = setting(
        "PEM: who signed ClickHouse's certificates; else the system's.", default=None
    )
    clickhouse_user: str = setting("The user, with all rights on the database.", default="junctor")
    clickhouse_password: Secret = setting("The user's password.", default=Secret(""))
    clickhouse_database: str = setting("The database; made if it does not exist.", default="junctor")
    flush_every: Duration = setting("How long a batch collects.", default=Duration(0.5), minimum=0.05, maximum=60)
    batch_records: int = setting("A batch's most records.", default=5_000, minimum=1, maximum=100_000)
    batch_bytes: int = setting("A batch ends at this size.", default=8_000_000, minimum=1_000)
    retention_days: int = setting("Days that rows are kept; 0: for ever.", default=400, minimum=0)
    trace_retention_days: int = setting("Days that traces are kept; 0: for ever.", default=14, minimum=0)

    @property
    def positions_file(self) -> Path:
        """What is inserted so far."""
        return self.state_dir / f"analytics-{self.site}.sqlite"
