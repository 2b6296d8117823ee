"""A pool with a small contact centre in it, in virtual time."""

from junctor_router.application.cel import parse
from junctor_router.domain.commands import (
    AcceptReservation,
    ConfigurationChanged,
    LogIn,
    RequestTask,
    Tick,
)
from junctor_router.domain.configuration import (
    AgentValue,
    AttributeValue,
    PlanValue,
    QueueValue,
    Step,
)
from junctor_router.domain.outcome import Outcome
from junctor_router.domain.pool import Pool
from junctor_router.domain.values import AgentState, AttributeType, Channel

START = 1_800_000_000_000
KINDS = {QueueValue: "queue", PlanValue: "plan", AgentValue: "agent", AttributeValue: "attribute"}


class Centre:
    """The pool with a clock: `do` applies at the present moment, `wait` lets time pass, ticking when something is due."""

    def __init__(self) -> None:
        self.pool = Pool("acme", "default", parse)
        self.now = START
        self.versions: dict[str, int] = {}
        self.journal: list[tuple[object, int]] = []
        self.contacts = 0

    def do(self, command) -> Outcome:
        self.journal.append((command, self.now))
        return self.pool.apply(command, self.now)

    def wait(self, milliseconds: int) -> list[object]:
        """All events of that time."""
        until = self.now + milliseconds
        events: list[object] = []
        while (due := self.pool.next_due()) is not None and due <= until:
            self.now = max(self.now, due)
            events += self.do(Tick()).events
        self.now = until
        return events

    def configure(self, id: str, value, kind: str | None = None) -> Outcome:
        version = self.versions[id] = self.versions.get(id, 0) + 1
        return self.do(ConfigurationChanged(kind or KINDS[type(value)], id, version, value))

    def delete(self, kind: str, id: str) -> Outcome:
        return self.do(ConfigurationChanged(kind, id, 0, None))

    def queue(self, id: str = "sales", *steps: Step, overflow: str = "", **value) -> None:
        if steps:
            self.configure(f"{id}-plan", PlanValue(steps, overflow))
            value["plan"] = f"{id}-plan"
        self.configure(id, QueueValue(**value))

    def agent(self, id: str, state: AgentState | None = AgentState.READY, **attributes) -> None:
        """In the directory, with a phone, and logged in unless the state is None."""
        values = {name.replace("__", "."): str(value) for name, value in attributes.items()}
        self.configure(id, AgentValue(values, device=f"phone-{id}"))
        if state is not None:
            self.do(LogIn(id, state=state))

    def attribute(self, id: str, type: AttributeType) -> None:
        self.configure(id, AttributeValue(type), "attribute")

    def arrive(self, contact_id: str = "", queue: str = "sales", channel: Channel = Channel.VOICE, **more) -> Outcome:
        if not contact_id:
            self.contacts += 1
            contact_id = f"c{self.contacts}"
        more.setdefault("arrived_at", self.now)
        return self.do(RequestTask(contact_id, channel, queue, edge="cti", **more))

    def accept(self, contact_id: str) -> Outcome:
        task = self.task(contact_id)
        return self.do(AcceptReservation(task.agent_id, task.reservation_id, contact_id))

    def task(self, contact_id: str):
        return self.pool.state.tasks[contact_id]

    def person(self, agent_id: str):
        return self.pool.state.agents[agent_id]

    def restored(self) -> Pool:
        """Another pool with the dumped state."""
        other = Pool("acme", "default", parse)
        other.load(list(self.pool.dump()))
        return other

    def replayed(self) -> Pool:
        other = Pool("acme", "default", parse)
        for command, now in self.journal:
            other.apply(command, now)
        return other


def names(events) -> list[str]:
    return [type(event).__name__ for event in events]
