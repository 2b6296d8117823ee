"""A process of a site that holds what it is granted: writes a line each few milliseconds in which it would decide.

`python site_worker.py SITE TOKEN OUTPUT NAME=ADDRESS...`; a line is "<CLOCK_MONOTONIC> <partition> <epoch>".
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import grpc
from junctor_register.grpc_voter import GrpcVoter
from junctor_register.rules import Seat
from junctor_register.site_register import SiteRegister

EVERY = 0.005


class Token(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, token: str) -> None:
        self._metadata = grpc.aio.Metadata(("authorization", f"Bearer {token}"))

    async def intercept_unary_unary(self, continuation, details, request):  # type: ignore[no-untyped-def]
        return await continuation(details._replace(metadata=self._metadata), request)


async def main(site: str, token: str, output: str, *addresses: str) -> None:
    options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
    voters = {}
    for given in addresses:
        name, _, address = given.partition("=")
        channel = grpc.aio.insecure_channel(address, options, interceptors=[Token(token)])
        voters[name] = GrpcVoter(channel, "router")
    preferred = frozenset({0}) if site == "a" else frozenset()
    register = SiteRegister(Seat(site, f"kafka-{site}", tuple(sorted(voters)), (0,), preferred), voters)
    await register.start()
    with Path(output).open("a", buffering=1) as lines:
        while True:
            now = time.monotonic()
            grant = register.granted(0)
            if grant is not None:
                lines.write(f"{now:.4f} 0 {grant.site_epoch}\n")
            await asyncio.sleep(EVERY)


asyncio.run(main(*sys.argv[1:]))
