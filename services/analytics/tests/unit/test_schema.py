"""The SQL that comes with the package."""

import re

from junctor_analytics.adapters.schema import migrations
from junctor_analytics.application import tables
from junctor_analytics.domain.queue_figures import DEFAULT_THRESHOLD_MS, SHORT_ABANDON_MS


def all_statements():
    return [statement for migration in migrations() for statement in migration.statements]


def test_files_are_numbered_in_order_and_every_statement_can_be_repeated():
    names = [migration.name for migration in migrations()]
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for statement in all_statements():
        assert re.match(
            r"CREATE TABLE IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE \w+ ADD COLUMN IF NOT", statement
        )


def test_every_table_knows_inserts_it_has_seen():
    made = [statement for statement in all_statements() if statement.startswith("CREATE TABLE")]
    assert len(made) == len([name for name in vars(tables) if name.isupper()])
    assert all("non_replicated_deduplication_window" in statement for statement in made)


def test_the_constants_are_the_definitions():
    report = next(statement for statement in all_statements() if "queue_report" in statement)
    assert f"{DEFAULT_THRESHOLD_MS} AS default_threshold_ms" in report
    assert f"{SHORT_ABANDON_MS} AS short_abandon_ms" in report
