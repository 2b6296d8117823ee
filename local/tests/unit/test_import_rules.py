"""The rules of import that are our own: each is kept by good imports and broken by a bad one."""

import pytest
from grimp import ImportGraph
from junctor_local.import_rules import OnlyImporters, OnlyStandardLibrary

GOOD = [
    ("junctor_x.domain.call", "junctor_x.domain.leg"),
    ("junctor_x.domain.call", "dataclasses"),
    ("junctor_journal.kafka", "aiokafka"),
]


def graph(imports: list[tuple[str, str]]) -> ImportGraph:
    made = ImportGraph()
    for importer, imported in imports:
        made.add_import(importer=importer, imported=imported, line_number=1, line_contents="import")
    return made


def contract(kind: type, **options: object):
    return kind("rule", {"root_packages": ["junctor_x"]}, options)


def test_good_imports_keep_the_rules() -> None:
    assert contract(OnlyStandardLibrary, folder="domain").check(graph(GOOD), False).kept
    assert contract(OnlyImporters, package="aiokafka", importers=["junctor_journal"]).check(graph(GOOD), False).kept


@pytest.mark.parametrize("imported", ["yaml", "junctor_x.application", "junctor_y.domain.leg", "junctor_service"])
def test_a_domain_that_imports_anything_else_breaks_its_rule(imported: str) -> None:
    found = contract(OnlyStandardLibrary, folder="domain").check(
        graph([*GOOD, ("junctor_x.domain.call", imported)]), False
    )
    assert [wrong["imported"] for wrong in found.metadata["wrong"]] == [imported]
    assert not found.kept


@pytest.mark.parametrize("importer", ["junctor_x.adapters.log", "junctor_journal_two"])
def test_another_importer_breaks_the_rule(importer: str) -> None:
    rule = contract(OnlyImporters, package="aiokafka", importers=["junctor_journal"])
    assert not rule.check(graph([*GOOD, (importer, "aiokafka")]), False).kept
