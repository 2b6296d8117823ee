"""A call: two sides that are joined by offer and answer, and the forks that listen to them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from junctor_local.media import g711, sdp
from junctor_local.media.output import Output
from junctor_local.media.playout import PlayClock, Player
from junctor_local.media.ports import PortPool
from junctor_local.media.side import Report, Side

EVENT_NAME = "telephone-event/8000"


class CallError(ValueError):
    """The command does not fit the call. The same command fails again."""


@dataclass(slots=True)
class Subscription:
    """A listener: one fork per side listened to, in the order of its SDP's m-lines."""

    tag: str
    forks: list[tuple[Side, Side]] = field(default_factory=list)
    """(the side listened to, the listener's own port)"""


class Call:
    def __init__(
        self, call_id: str, ports: PortPool, clock: PlayClock, report: Report, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.id = call_id
        self.created = time.time()
        self.sides: dict[str, Side] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self._ports, self._clock, self._report, self._loop = ports, clock, report, loop

    def offer(self, from_tag: str, to_tag: str, text: str, transcode: list[int]) -> str:
        """`from_tag`'s offer; the answer is the offer to make to `to_tag`. Repeatable: ports stay."""
        medias, index = sdp.audio(text)
        offered = [number for number in medias[index].payload_types() if number in g711.NAMES]
        onward = offered + [number for number in transcode if number not in offered]
        if not offered:
            raise CallError("No supported codec in offer")
        near, far = self._pair(from_tag, to_tag)
        near.moved_to(medias[index])
        near.offered = offered
        if near.output.payload_type not in offered:
            near.output.payload_type = offered[0]
        near.shape = _refused(medias, index)
        return self._write(far, onward, near.event_type, medias[index].direction, [])

    def answer(self, from_tag: str, to_tag: str, text: str) -> str:
        """`to_tag`'s answer to the last offer; the result is the answer for `from_tag`, in a codec that it offered."""
        near, far = self._existing(from_tag), self._existing(to_tag)
        medias, index = sdp.audio(text)
        codecs = [number for number in medias[index].payload_types() if number in g711.NAMES]
        if not codecs:
            raise CallError("No supported codec in answer")
        far.moved_to(medias[index])
        far.output.payload_type = codecs[0]
        if not near.offered:
            raise CallError("No offer came before the answer")
        near.output.payload_type = codecs[0] if codecs[0] in near.offered else near.offered[0]
        return self._write(near, [near.output.payload_type], near.event_type, medias[index].direction, near.shape)

    def subscribe(self, tags: list[str], to_tag: str) -> str:
        """Forks of `tags` for listener `to_tag`; the offer to make to it. Again for the same listener: same ports."""
        sources = [self._existing(tag) for tag in tags]
        known = self.subscriptions.get(to_tag)
        if known is None or [source for source, _ in known.forks] != sources:
            self.unsubscribe(to_tag)
            known = self.subscriptions[to_tag] = Subscription(to_tag)
            for source in sources:
                known.forks.append((source, self._side(to_tag, latching=False)))
        blocks = [
            self._write(
                own, list(g711.NAMES) if not source.offered else _first(source), source.event_type, "sendonly", []
            )
            for source, own in known.forks
        ]
        return blocks[0] + "".join(block[block.index("m=audio") :] for block in blocks[1:])

    def subscribed(self, to_tag: str, text: str) -> None:
        """The listener's answer: RTP goes to its addresses from now on."""
        known = self.subscriptions.get(to_tag)
        if known is None:
            raise CallError("Unknown to-tag: no subscribe request came before the answer")
        medias = [media for media in sdp.read(text) if media.kind == "audio"]
        if len(medias) < len(known.forks):
            raise CallError(f"{len(medias)} audio lines in answer, {len(known.forks)} in offer")
        for (source, own), media in zip(known.forks, medias, strict=False):
            codecs = [number for number in media.payload_types() if number in g711.NAMES]
            if not codecs:
                raise CallError("No supported codec in answer")
            own.moved_to(media)
            own.output.payload_type = codecs[0]
            source.forks[to_tag] = own.output

    def unsubscribe(self, to_tag: str) -> bool:
        known = self.subscriptions.pop(to_tag, None)
        for source, own in known.forks if known else []:
            source.forks.pop(to_tag, None)
            self._close(own)
        return known is not None

    def play(self, tag: str, player: Player) -> None:
        """Let `player` have what `tag` hears, until it ends or is stopped; a player before it is dropped."""
        side = self._existing(tag)
        self.stop(tag)
        side.player = player

        def ended(_: Player) -> None:
            if side.player is player:
                side.player = None

        self._clock.start(player, ended)

    def stop(self, tag: str) -> Player | None:
        """The player that was stopped, if there was one."""
        side = self._existing(tag)
        player, side.player = side.player, None
        if player is not None:
            self._clock.stop(player)
        return player

    def output(self, tag: str) -> Output:
        return self._existing(tag).output

    def hearing(self, tag: str) -> Side:
        """The side that hears `tag`."""
        other = self._existing(tag).other
        if other is None:
            raise CallError("No other side")
        return other

    def chosen(self, tags: list[str]) -> list[Side]:
        return [self._existing(tag) for tag in tags] if tags else list(self.sides.values())

    @property
    def last_at(self) -> float:
        """Monotonic seconds of the last packet or of a prompt that plays."""
        if any(side.player for side in self.sides.values()):
            return time.monotonic()
        return max(side.last_at for side in self.sides.values())

    def close(self) -> None:
        for tag in list(self.subscriptions):
            self.unsubscribe(tag)
        for tag, side in self.sides.items():
            self.stop(tag)
            self._close(side)

    def _pair(self, from_tag: str, to_tag: str) -> tuple[Side, Side]:
        for tag in (from_tag, to_tag):
            if tag not in self.sides:
                self.sides[tag] = self._side(tag)
        near, far = self.sides[from_tag], self.sides[to_tag]
        near.other, far.other = far, near
        return near, far

    def _side(self, tag: str, latching: bool = True) -> Side:
        side = Side(tag, *self._ports.take(), self._report)
        side.latching = latching
        side.listen(self._loop)
        return side

    def _close(self, side: Side) -> None:
        side.close(self._loop)
        self._ports.give_back(side.rtp, side.rtcp)

    def _existing(self, tag: str) -> Side:
        if tag not in self.sides:
            raise CallError(f"Unknown tag {tag[:40]!r}")
        return self.sides[tag]

    def _write(
        self, side: Side, codecs: list[int], event_type: int | None, direction: str, refused: list[tuple[int, str]]
    ) -> str:
        side.version += 1
        numbers = [(number, f"{g711.NAMES[number]}/8000") for number in codecs]
        if event_type is not None:
            numbers.append((event_type, EVENT_NAME))
        return sdp.write(
            self._ports.host,
            side.port,
            numbers,
            session=side.session,
            version=side.version,
            direction=direction,
            rejected=refused,
        )


def _refused(medias: list[sdp.Media], index: int) -> list[tuple[int, str]]:
    return [
        (at, f"{media.kind} {media.protocol} {' '.join(media.formats)}")
        for at, media in enumerate(medias)
        if at != index
    ]


def _first(source: Side) -> list[int]:
    own = source.output.payload_type
    return [own, *(number for number in g711.NAMES if number != own)]
