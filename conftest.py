"""Every test has exactly one category, told by its folder: tests/unit, tests/contract, tests/integration, e2e, e2e/cluster."""

from pathlib import Path

import pytest

CATEGORIES = ("unit", "contract", "integration", "e2e", "cluster")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = Path(str(item.fspath)).relative_to(Path(__file__).parent)
        found = [category for category in CATEGORIES if category in path.parts[:-1]]
        if path.parts[:2] == ("e2e", "cluster"):
            found.remove("e2e")
        if len(found) != 1:
            raise pytest.UsageError(
                f"{path}: a test lies in exactly one of the folders {', '.join(CATEGORIES)}; this one is in {found or 'none'}"
            )
        item.add_marker(getattr(pytest.mark, found[0]))
