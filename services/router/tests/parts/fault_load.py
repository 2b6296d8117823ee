"""Contacts at a rate, straight to the inputs topic, each followed to its end by what lies in the journal.

It is as careless as an edge may be: it accepts every offer that it finds in the journal, those of stale owners too, and
writes an input again, under the same id, whenever it does not know that it was written.
"""

import asyncio
import contextlib

from junctor.contact.v1 import contact_pb2
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_journal import topics
from junctor_journal.errors import JournalError
from junctor_journal.inputs import new_input
from junctor_journal.log import NewRecord, TopicPartition
from junctor_journal.message_types import unpack
from junctor_journal.reader import JournalReader, Verdict

POOL = "default"


class FaultLoad:
    def __init__(self, log, tenant, rate):
        self._log, self._tenant, self._rate = log, tenant, rate
        self.partition = topics.partition_for(tenant, POOL, 12)
        self.journal = TopicPartition(topics.journal("router"), self.partition)
        self.inputs = TopicPartition(topics.inputs("router"), self.partition)
        self.reader = JournalReader()
        self.configured = set()
        self.requested = 0
        self.completed = set()
        self.baits = 0
        self._outbox = []
        self._asking = False
        self._tasks = []

    @property
    def owner(self):
        """The address in the newest claim."""
        return self.reader.place.address

    def start(self):
        self._tasks = [asyncio.create_task(self._ask()), asyncio.create_task(self._follow())]

    def ask(self):
        """Contacts come from now on."""
        self._asking = True

    def stop_asking(self):
        self._asking = False

    async def stop(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def do(self, body, id):
        """Puts one input on its way."""
        made = new_input(body, id=f"{self._tenant}/{id}", tenant=self._tenant, stream=POOL, site="a")
        self._outbox.append(NewRecord(topics.key_of(self._tenant, POOL), made.SerializeToString()))

    async def _ask(self):
        elapsed = 0.0
        last = asyncio.get_running_loop().time()
        while True:
            now = asyncio.get_running_loop().time()
            elapsed, last = elapsed + (now - last) * self._asking, now
            due = int(elapsed * self._rate)
            for number in range(self.requested, due):
                self._request(number)
            self.requested = max(self.requested, due)
            batch, self._outbox = self._outbox, []
            if batch:
                await self._write(batch)
            else:
                await asyncio.sleep(0.005)

    def _request(self, number):
        contact = f"c{number}"
        body = pb.RequestTaskRequest(
            tenant=self._tenant,
            request_id=contact,
            contact_id=contact,
            queue="sales",
            channel=contact_pb2.CHANNEL_VOICE,
            edge="cti",
        )
        self.do(body, f"request/{contact}")

    async def _write(self, batch):
        while True:
            try:
                await self._log.producer().send_many(*self.inputs, batch)
                return
            except JournalError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(0.1)

    async def _follow(self):
        offset = 0
        while True:
            with contextlib.suppress(JournalError):
                tail = await self._log.tail({self.journal: offset}, wait_ms=100)
                try:
                    while True:
                        for records in (await tail.getmany(200)).values():
                            for record in records:
                                offset = record.offset + 1
                                self._see(record.value)
                finally:
                    await asyncio.shield(tail.close())
            await asyncio.sleep(0.2)

    def _see(self, value):
        counts = self.reader.see(value) is Verdict.VALID
        record = journal_pb2.JournalRecord.FromString(value)
        for packed in record.entry.events:
            event = unpack(packed)
            match event:
                case pb.ConfigurationApplied() if counts:
                    self.configured.add(event.id)
                case pb.ReservationCreated():
                    self.baits += not counts
                    self._accept(event)
                case pb.ReservationAccepted() if counts:
                    body = pb.EndContactRequest(
                        tenant=self._tenant, request_id=f"end-{event.contact_id}", contact_id=event.contact_id
                    )
                    self.do(body, f"end/{event.contact_id}")
                case pb.TaskCompleted() if counts:
                    self.completed.add(event.contact_id)

    def _accept(self, offer):
        name = f"{offer.reservation_id}/{offer.contact_id}/{offer.agent_id}"
        body = pb.AcceptReservationRequest(
            tenant=self._tenant,
            request_id=name,
            agent_id=offer.agent_id,
            reservation_id=offer.reservation_id,
            contact_id=offer.contact_id,
        )
        self.do(body, f"accept/{name}")
