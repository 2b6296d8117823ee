"""Customers who call one after the other, talk for a moment and hang up, until it is enough."""

from __future__ import annotations

import asyncio
import itertools
from types import TracebackType
from typing import Self

from junctor_testkit.sip_phone import PhoneError

from e2e.stage import LiveCall, Stage

EVERY, TALK = 2.0, 3.0
# A phone repeats its INVITE and its BYE for 32 seconds (RFC 3261, timers B and F).
ANSWERED_WITHIN, TALKING_WITHIN = 35.0, 90.0


class Traffic:
    """`async with`: calls begin, and at its end those that began are finished. `problems` has a sentence for each that
    did not go as it must."""

    def __init__(self, stage: Stage) -> None:
        self.served: list[LiveCall] = []
        self.problems: list[str] = []
        self._stage = stage
        self._enough = asyncio.Event()
        self._calls: list[asyncio.Task[None]] = []
        self._caller: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._caller = asyncio.create_task(self._call_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        if self._caller is not None:
            await self._caller
        if error is not None:
            for call in self._calls:
                call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _call_on(self) -> None:
        for number in itertools.count(1):
            self._calls.append(asyncio.create_task(self._one(number)))
            try:
                await asyncio.wait_for(self._enough.wait(), EVERY)
                return
            except TimeoutError:
                continue

    async def _one(self, number: int) -> None:
        try:
            live = await self._stage.queue(answered_within=ANSWERED_WITHIN)
            await self._stage.talking(live, within=TALKING_WITHIN)
            await asyncio.sleep(TALK)
            if live.call.state != "answered":
                self.problems.append(f"call {number} was {live.call.state} while it was talked in")
            status = await live.call.hang_up(within=ANSWERED_WITHIN)
            if status != 200:
                self.problems.append(f"call {number} hung up and was told {status}")
            self.served.append(live)
        except (AssertionError, TimeoutError, PhoneError) as error:
            self.problems.append(f"call {number}: {error}")
