"""A program that test_run.py starts: services whose second component behaves as the argument says."""

import asyncio
import logging
import sys
import time

from junctor_service.health import Health
from junctor_service.run import Program, Service, main, run_services
from junctor_service.settings import CommonSettings
from junctor_service.token_source import workload_tokens

log = logging.getLogger("program")


class Part:
    ready = True

    def __init__(self, name: str, behaviour: str) -> None:
        self.name = name
        self.behaviour = behaviour

    async def start(self) -> None:
        if self.behaviour == "bad start":
            raise ConnectionError("Kafka cannot be reached at 127.0.0.1:1")
        if self.behaviour == "endless start":
            await asyncio.sleep(3600)
        log.info("step", extra={"step": f"start {self.name}"})

    async def stop(self, deadline: float) -> None:
        if self.behaviour == "endless stop":
            await asyncio.sleep(3600)
        if self.behaviour == "blocking stop":
            time.sleep(3600)  # noqa: ASYNC251 blocks the loop on purpose
        log.info("step", extra={"step": f"stop {self.name}"})


def program(argument: str) -> Program:
    service, _, behaviour = argument.rpartition(":")
    service = service or "router"

    def bind(settings: CommonSettings) -> Service:
        if behaviour == "bad bind":
            raise ValueError("the plan cannot be read")
        if behaviour == "missing setting":
            workload_tokens(settings, service)
        return Service(service, [Part("first", ""), Part("second", behaviour)], settings, health=Health(service))

    return Program(service, CommonSettings, bind)


if __name__ == "__main__":
    programs = [program(argument) for argument in sys.argv[1:]]
    if len(programs) == 1:
        main(programs[0].name, programs[0].settings_class, programs[0].bind)
    run_services(programs)
