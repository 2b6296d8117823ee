"""What a supervisor sees while the demonstration runs: queues, agents and callers, from the router's own stream."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from junctor.router.v1 import router_pb2
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from junctor_cli.demonstration.callers import CallResult
from junctor_cli.demonstration.cast import TENANT

REFRESH_SECONDS = 0.5
PLAIN_EVERY_SECONDS = 5.0
STATES = {
    router_pb2.AGENT_STATE_LOGGED_OUT: "logged out",
    router_pb2.AGENT_STATE_NOT_READY: "not ready",
    router_pb2.AGENT_STATE_READY: "ready",
    router_pb2.AGENT_STATE_NOT_RESPONDING: "not responding",
}
TASKS = {
    router_pb2.TASK_STATE_RESERVED: "offered",
    router_pb2.TASK_STATE_ASSIGNED: "serves",
    router_pb2.TASK_STATE_WRAPPING: "wrap-up",
}


class Board:
    """Follows `WatchPool`; draws a live table on a terminal, and prints a line now and then elsewhere."""

    def __init__(self, router: Any, calls: Sequence[CallResult], console: Console) -> None:
        self._router = router
        self._calls = calls
        self._console = console
        self._pool: Any = None
        self._began = time.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        watching = asyncio.create_task(self._watch())
        try:
            if self._console.is_terminal:
                with Live(console=self._console, refresh_per_second=4, transient=True) as live:
                    while True:
                        live.update(self._tables())
                        await asyncio.sleep(REFRESH_SECONDS)
            while True:
                await asyncio.sleep(PLAIN_EVERY_SECONDS)
                self._console.print(self._line())
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            try:
                async for pool in self._router.WatchPool(router_pb2.WatchPoolRequest(tenant=TENANT, interval_ms=500)):
                    self._pool = pool
            except Exception as error:
                self._console.log(f"the router's stream broke off: {error!r}")
            await asyncio.sleep(REFRESH_SECONDS)

    def _line(self) -> str:
        states = Counter(call.state.split(" to ")[0] for call in self._calls)
        seconds = time.monotonic() - self._began
        return f"  {seconds:4.0f} s  calls: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items()))

    def _tables(self) -> Table:
        queues = Table(
            "queue", "waiting", "offered", "talking", "wrap-up", "oldest", title="Queues", title_justify="left"
        )
        agents = Table("agent", "state", "contacts", title="Agents", title_justify="left")
        for queue in self._pool.queues if self._pool is not None else ():
            oldest = f"{queue.oldest_wait_ms / 1000:.0f} s" if queue.waiting else ""
            queues.add_row(
                queue.queue,
                *(str(n or "") for n in (queue.waiting, queue.offered, queue.active, queue.wrapping)),
                oldest,
            )
        for agent in self._pool.agents if self._pool is not None else ():
            contacts = Counter(TASKS.get(task.state, "") for task in agent.tasks)
            shown = ", ".join(f"{count} {what}" for what, count in contacts.items() if what)
            agents.add_row(agent.agent_id, STATES.get(agent.state, ""), shown)
        calls = Table("caller", "about", "call", title="Calls", title_justify="left")
        for call in self._calls:
            calls.add_row(call.caller.number[-4:], call.caller.about, call.state)
        beside = Table.grid(padding=(0, 2))
        beside.add_row(Group(queues, agents), calls)
        return beside
