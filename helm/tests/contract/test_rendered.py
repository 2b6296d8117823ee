"""What an install makes, against the examples that people have read."""

import pytest

from helm.rendered import INSTALLS, RENDERED, comparable
from helm.tests.conftest import rendered


@pytest.mark.parametrize("install", INSTALLS)
def test_an_install_makes_what_its_example_says(install):
    assert comparable(rendered(install)) == (RENDERED / f"{install}.yaml").read_text(), (
        "run `make helm-reference`, and read the difference"
    )


def test_there_is_no_example_of_an_install_that_is_none():
    assert {path.stem for path in RENDERED.glob("*.yaml")} == set(INSTALLS)
