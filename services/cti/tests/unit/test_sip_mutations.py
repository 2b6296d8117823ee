"""Twenty thousand mutilated messages: none raises, none stops the next good one."""

import random
from pathlib import Path

from junctor_cti.adapters.sip.edge import SipEdge
from junctor_cti.adapters.sip.peer import Peer
from junctor_cti.adapters.sip.settings import SipSettings

TORTURE = Path(__file__).parents[1] / "data" / "rfc4475"
SOURCE = Peer("udp", "192.0.2.7", 5060)
GOOD = (
    b"INVITE sip:100@us SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK%d;rport\r\nFrom: <sip:a@b>;tag=%d\r\n"
    b"To: <sip:100@us>\r\nCall-ID: good%d\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.7>\r\nContent-Length: 0\r\n\r\n"
)


def mutate(rng: random.Random, data: bytes) -> bytes:
    broken = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(broken) or 1)
        match rng.randrange(6):
            case 0:
                broken[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del broken[at : at + rng.randint(1, 40)]
            case 2:
                broken[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 10)))
            case 3:
                broken[at:at] = broken[at : at + rng.randint(1, 80)]
            case 4:
                broken[at:at] = rng.choice(
                    [b"\r\n", b"\0", b":", b";", b'"', b"<", b">", b"-1", b"9" * 40, b"\xff\xfe"]
                )
            case _:
                del broken[at:]
    return bytes(broken)


async def test_mutations():
    rng = random.Random(4475)
    seeds = [path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))] + [GOOD % (0, 0, 0)]
    events = []
    edge = SipEdge(SipSettings(t1=3600), events.append)
    for number in range(20_000):
        edge.receive(mutate(rng, rng.choice(seeds)), SOURCE)
        if number % 2000 == 0:
            events.clear()
            edge.receive(GOOD % (number + 1, number + 1, number + 1), SOURCE)
            assert [event.call_id for event in events] == [f"good{number + 1}"]
    failed = {kind: count for kind, count in edge.counters.items() if kind.startswith("receive_failed")}
    assert failed == {}
    assert edge.counters["malformed.unparsable"] > 100
