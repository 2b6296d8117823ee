"""The files that the ClickHouse engine reads at its start: settings, users and their rights."""

import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.sax.saxutils import escape

DATABASE = "junctor"
WRITER = "junctor"
ANALYST = "analyst"

# The engine's own connection logs in as `default` without a password, so that user stays: it may only
# open listeners, and in one session, which that connection holds.
_USERS = """\
<clickhouse>
  <profiles>
    <default>
      <insert_deduplicate>1</insert_deduplicate>
      <deduplicate_blocks_in_dependent_materialized_views>1</deduplicate_blocks_in_dependent_materialized_views>
      <async_insert>0</async_insert>
    </default>
    <engine><max_sessions_for_user>1</max_sessions_for_user></engine>
    <analyst>
      <readonly>2</readonly>
      <max_execution_time>60</max_execution_time>
      <max_memory_usage>1000000000</max_memory_usage>
      <constraints>
        <max_execution_time><max>600</max></max_execution_time>
        <max_memory_usage><max>1000000000</max></max_memory_usage>
      </constraints>
    </analyst>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>engine</profile>
      <quota>default</quota>
      <grants><query>GRANT SYSTEM LISTEN ON *.*</query></grants>
    </default>
    <{writer}>
      <password_sha256_hex>{writer_hash}</password_sha256_hex>
      <networks>{networks}</networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT ALL ON {database}.*</query>
        <query>GRANT SELECT ON system.*</query>
        <query>GRANT CREATE TEMPORARY TABLE ON *.*</query>
{engines}
        <query>GRANT KILL QUERY ON *.*</query>
      </grants>
    </{writer}>
    <{analyst}>
      <password_sha256_hex>{analyst_hash}</password_sha256_hex>
      <networks>{networks}</networks>
      <profile>analyst</profile>
      <quota>default</quota>
      <grants><query>GRANT SELECT, SHOW ON {database}.*</query></grants>
    </{analyst}>
  </users>
</clickhouse>
"""

_LOOPBACK, _EVERYWHERE = "<ip>127.0.0.1</ip><ip>::1</ip>", "<ip>::/0</ip>"
# Passwords given from outside, for a server whose clients run elsewhere.
_WRITER_PASSWORD, _ANALYST_PASSWORD = "CLICKHOUSE_PASSWORD", "CLICKHOUSE_ANALYST_PASSWORD"

# The engines that keep their data in the server's folder: none that reads files, URLs or other servers.
_ENGINES = (
    "Atomic", "MergeTree", "ReplacingMergeTree", "SummingMergeTree", "AggregatingMergeTree", "CollapsingMergeTree",
    "VersionedCollapsingMergeTree", "Memory", "Null", "Join", "Set", "Buffer", "View", "MaterializedView", "Dictionary",
)  # fmt: skip

# Small pools and caches: a local site shares 2 GB. The deduplication window is what makes a replayed insert harmless.
_SETTINGS = """\
<clickhouse>
  <path>{base}/data/</path>
  <tmp_path>{base}/tmp/</tmp_path>
  <user_files_path>{base}/user_files/</user_files_path>
  <users_config>users.xml</users_config>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <max_concurrent_queries>50</max_concurrent_queries>
  <mark_cache_size>33554432</mark_cache_size>
  <background_pool_size>2</background_pool_size>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <merge_tree>
    <non_replicated_deduplication_window>10000</non_replicated_deduplication_window>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>2</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>2</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
</clickhouse>
"""


@dataclass(frozen=True, slots=True)
class Passwords:
    """Of the users `junctor` (all rights on its database) and `analyst` (SELECT on that database)."""

    junctor: str
    analyst: str


def passwords(directory: Path) -> Passwords:
    """The passwords of the server in `directory`: CLICKHOUSE_PASSWORD and CLICKHOUSE_ANALYST_PASSWORD of the environment
    where both are set, else chosen at the first call and kept in a file of mode 0600."""
    given = Passwords(os.environ.get(_WRITER_PASSWORD, ""), os.environ.get(_ANALYST_PASSWORD, ""))
    if given.junctor and given.analyst:
        return given
    path = directory / "passwords.json"
    if path.exists():
        kept = json.loads(path.read_text())
        return Passwords(kept["junctor"], kept["analyst"])
    made = Passwords(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    directory.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(made), file)
    try:
        os.link(partial, path)
    except FileExistsError:
        return passwords(directory)
    finally:
        partial.unlink()
    return made


def write(directory: Path, memory_bytes: int, *, everywhere: bool = False) -> Path:
    """Writes users.xml and config.xml into `directory`/etc and returns the path of the latter.

    `everywhere`: the users may come from other machines too. The engine's own user never may.
    """
    etc = directory / "etc"
    for folder in (etc, directory / "data", directory / "tmp", directory / "user_files"):
        folder.mkdir(parents=True, exist_ok=True)
    known = passwords(directory)
    (etc / "users.xml").write_text(
        _USERS.format(
            writer=WRITER,
            writer_hash=hashlib.sha256(known.junctor.encode()).hexdigest(),
            analyst=ANALYST,
            analyst_hash=hashlib.sha256(known.analyst.encode()).hexdigest(),
            database=DATABASE,
            networks=_EVERYWHERE if everywhere else _LOOPBACK,
            engines="\n".join(f"        <query>GRANT TABLE ENGINE ON {engine}</query>" for engine in _ENGINES),
        )
    )
    settings = etc / "config.xml"
    settings.write_text(_SETTINGS.format(base=escape(str(directory)), memory=memory_bytes))
    return settings
