"""One process of the tests' service, to be stopped and killed: worker.py BOOTSTRAP SERVICE PARTITIONS INSTANCE [group].

Prints `ready` once it owns its partitions. TALLY_HOLD holds each append back that many seconds, so that a signal comes
in the middle of one. TALLY_RECLAIM is how long it waits after it was overtaken.
"""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from junctor_journal.kafka import KafkaLog
from junctor_journal.kafka_writing import KafkaAppender
from junctor_journal.pump import GroupPump
from junctor_journal.static_pump import StaticPump
from tally_service import new_ledger

HOLD = float(os.environ.get("TALLY_HOLD", "0"))


def hold_appends():
    append = KafkaAppender.append

    async def held(self, records):
        await asyncio.sleep(HOLD)
        return await append(self, records)

    KafkaAppender.append = held


async def main(bootstrap, service, partitions, instance, pump="static"):
    if HOLD:
        hold_appends()
    log = KafkaLog(bootstrap, client_id=instance)
    await log.start()
    ledger = new_ledger(
        log,
        service,
        pump=GroupPump() if pump == "group" else StaticPump(range(int(partitions))),
        reclaim_after=float(os.environ.get("TALLY_RECLAIM", "3")),
        address=f"{instance}:1",
        instance_id=instance,
        every=200,
    )
    await ledger.start()
    await ledger.wait_ready()
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
