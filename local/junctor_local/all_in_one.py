"""All services of a site in one process and one event loop: `python -m junctor_local.all_in_one [SERVICE ...]`."""

import importlib
import sys
import typing
from collections.abc import Sequence

from junctor_service.run import Program, run_services

from junctor_local.site_ports import SERVICES


def programs(services: Sequence[str]) -> list[Program]:
    """The services' programs: each `junctor_<name>.bootstrap.bind`, its settings' class from the annotation of its parameter.

    Raises ModuleNotFoundError for an unknown service and TypeError for a `bind` without such an annotation.
    """
    found = []
    for service in services:
        bind = importlib.import_module(f"junctor_{service}.bootstrap").bind
        annotated = [kind for name, kind in typing.get_type_hints(bind).items() if name != "return"]
        if len(annotated) != 1 or not isinstance(annotated[0], type):
            raise TypeError(f"junctor_{service}.bootstrap.bind has one parameter, annotated with the settings' class")
        found.append(Program(service, annotated[0], bind))
    return found


if __name__ == "__main__":
    run_services(programs(sys.argv[1:] or SERVICES))
