"""What the site gives each service is what that service reads."""

from pathlib import Path

import pytest
from junctor_local import site_settings
from junctor_local.all_in_one import programs
from junctor_local.site_ports import SERVICES, standard_ports
from junctor_service.settings import load_settings


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_is_known_and_none_is_missing(service: str, tmp_path: Path) -> None:
    env = site_settings.environment("a", tmp_path, standard_ports(), "secret", "password")
    warnings: list[str] = []
    (program,) = programs([service])
    settings = load_settings(program.settings_class, service=service, environ=env, warnings=warnings)
    assert settings.site == "a"
    assert str(settings.grpc_listen) == standard_ports().address(service)
    assert warnings == []
