"""The documents name tests, files and figures of the code; what they name must exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RECORDS = sorted((ROOT / "docs" / "adr").glob("*.md"))
DOCUMENTS = [*RECORDS, ROOT / "ARCHITECTURE.md", ROOT / "docs" / "states.md", ROOT / "services/gateway/README.md"]
TEST = re.compile(r"`([\w./-]+\.py)::(test_\w+)`")


def test_there_are_records():
    assert len(RECORDS) >= 6


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_names_tests_that_exist_and_is_short(record):
    text = record.read_text()
    named = TEST.findall(text)
    files = re.findall(r"`([\w./-]*tests/[\w./-]+\.py)`", text)
    assert named or files, "a decision without a test that shows it"
    for file in files:
        assert [*ROOT.glob(file), *ROOT.glob(f"services/*/{file}")], file
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
    assert len(text.splitlines()) <= 60


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_linked_and_named_with_its_folder_exists(document):
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    for link in links:
        assert (document.parent / link).exists(), link
    roots = "services|libs|local|cli|docs|proto|e2e|bench"
    for path in re.findall(rf"`((?:{roots})/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
