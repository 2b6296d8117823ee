"""A call's media, as cti uses it: the caller is answered before there is an agent, prompts play, agents come and go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from junctor_cti.adapters.media.ng import NgClient, Reply
from junctor_cti.adapters.media.offered import nobody, only_chosen, receiver
from junctor_cti.application.ports.media_errors import MediaCallUnknown, MediaError, PlayFailed

Side = Literal["caller", "agent"]
TAGS: Mapping[Side, str] = {"caller": "A", "agent": "far"}
"""Our own tags for ever, whoever the agent is: a new tag per agent would add a branch to the call each time."""
_ANCHOR: Mapping[str, object] = {
    "replace": ["origin", "session-connection"],
    "flags": ["port-latching"],
    "ICE": "remove",
}
"""`port-latching` keeps the caller's port through every later answer, so the caller needs no re-INVITE."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A copy of what `side` sends. `sdp` is the media process's offer to the receiver, which was answered."""

    side: Side
    tag: str
    sdp: str


class Media:
    """Holds no state but its socket: every call is found again by its id after cti was killed.

    All methods raise MediaError; `.retryable` says whether the same command may be repeated. MediaCallUnknown means
    that the media process lost the call: `answer_first`, `offer_far` and `connect_far` again with the journalled SDPs.
    """

    def __init__(self, ng: NgClient) -> None:
        self._ng = ng

    @classmethod
    async def open(cls, address: tuple[str, int]) -> Media:
        return cls(await NgClient.open(address))

    def close(self) -> None:
        self._ng.close()

    async def ping(self) -> None:
        """Return if the media process answers."""
        await self._ng.command("ping")

    async def answer_first(self, call_id: str, caller_sdp: str) -> str:
        """The SDP for the caller's 200 before any agent is known. One codec: PCMA, or PCMU where that is not offered.

        Raises UnusableSdp (488) for an offer without audio or G.711.
        """
        answer = nobody(caller_sdp)
        await self._offer(call_id, caller_sdp)
        return _sdp(await self._answer(call_id, answer))

    async def offer_far(self, call_id: str, caller_sdp: str) -> str:
        """The SDP for the agent's INVITE; `caller_sdp` as in `answer_first`. Both laws; the other one is transcoded."""
        return _sdp(await self._offer(call_id, caller_sdp))

    async def connect_far(self, call_id: str, agent_sdp: str) -> str:
        """Join caller and agent, after `offer_far`; prompts end. The result is the caller's SDP.

        It names the port and codec that the caller already uses: no re-INVITE is needed.
        """
        sdp = _sdp(await self._answer(call_id, agent_sdp))
        await self._ng.command("unblock media", call_id=call_id, from_tag=TAGS["agent"])
        await self._ng.command("unblock media", call_id=call_id, from_tag=TAGS["caller"])
        await self.stop_play(call_id)
        return sdp

    async def disconnect_far(self, call_id: str, caller_sdp: str) -> None:
        """The agent has left: neither hears the other from now on. `play`, `offer_far` and `connect_far` may follow."""
        await self._ng.command("block media", call_id=call_id, from_tag=TAGS["agent"])
        await self._ng.command("block media", call_id=call_id, from_tag=TAGS["caller"])
        await self._offer(call_id, caller_sdp)
        await self._answer(call_id, nobody(caller_sdp))

    async def play(self, call_id: str, prompt: Path | bytes, repeat: int = 1) -> int:
        """Play a WAV (16-bit 8 kHz mono PCM) to the caller, `repeat` times; the length of one in ms.

        The caller hears it at once; a prompt that plays is replaced. While an agent is joined, `disconnect_far` first.
        A path is opened by the media process. Raises PlayFailed where nothing will be heard.
        """
        source: dict[str, object] = {"blob": prompt} if isinstance(prompt, bytes) else {"file": str(prompt)}
        source["repeat-times"] = repeat
        try:
            reply = await self._ng.command("play media", call_id=call_id, from_tag=TAGS["caller"], **source)
        except MediaCallUnknown:
            raise
        except MediaError as error:
            raise error if error.retryable else PlayFailed(error.command, error.reason) from error
        duration = reply.get("duration")
        if not isinstance(duration, int) or duration <= 0:
            raise PlayFailed("play media", "accepted without a duration: the format is not playable")
        return duration

    async def stop_play(self, call_id: str) -> None:
        """End the prompt; no error where none plays."""
        try:
            await self._ng.command("stop media", call_id=call_id, from_tag=TAGS["caller"])
        except MediaError as error:
            if not error.reason.lower().startswith("not currently playing"):
                raise

    async def fork(self, call_id: str, side: Side, to: tuple[str, int], name: str = "recording") -> Fork:
        """Send a copy of what `side` says to the UDP address `to`, as PCMA or PCMU. Repeatable: it then moves there.

        `name` tells several receivers of one side apart. Before `offer_far` there is no side "agent".
        """
        tag = f"{name}-{side}"
        offer = _sdp(await self._ng.command("subscribe request", call_id=call_id, from_tag=TAGS[side], to_tag=tag))
        await self._ng.command("subscribe answer", call_id=call_id, to_tag=tag, sdp=receiver(*to, offer))
        return Fork(side, tag, offer)

    async def unfork(self, call_id: str, side: Side, name: str = "recording") -> None:
        await self._ng.command("unsubscribe", call_id=call_id, to_tag=f"{name}-{side}")

    async def block_dtmf(self, call_id: str, side: Side = "caller") -> None:
        """Digits of `side` reach neither the other side nor the forks; they are still reported."""
        await self._ng.command("block DTMF", call_id=call_id, from_tag=TAGS[side])

    async def unblock_dtmf(self, call_id: str, side: Side = "caller") -> None:
        await self._ng.command("unblock DTMF", call_id=call_id, from_tag=TAGS[side])

    async def mute(self, call_id: str, side: Side) -> None:
        """The other side and the forks hear silence from `side`."""
        await self._ng.command("silence media", call_id=call_id, from_tag=TAGS[side])

    async def unmute(self, call_id: str, side: Side) -> None:
        await self._ng.command("unsilence media", call_id=call_id, from_tag=TAGS[side])

    async def delete(self, call_id: str) -> None:
        """Free the call's ports and end its forks; no error for an unknown call."""
        await self._ng.command("delete", call_id=call_id, from_tag=TAGS["caller"])

    async def exists(self, call_id: str) -> bool:
        """Whether the media process knows the call."""
        try:
            await self.query(call_id)
        except MediaCallUnknown:
            return False
        return True

    async def query(self, call_id: str) -> dict[str, Any]:
        """Per tag: ports, the peer's address, packets. The keys are rtpengine's."""
        return await self._ng.command("query", call_id=call_id)

    async def statistics(self) -> dict[str, Any]:
        """Of the process: `currentstatistics` (sessionsown = calls now) and `totalstatistics`."""
        statistics = (await self._ng.command("statistics")).get("statistics")
        return statistics if isinstance(statistics, dict) else {}

    async def _offer(self, call_id: str, caller_sdp: str) -> Reply:
        return await self._ng.command(
            "offer",
            call_id=call_id,
            from_tag=TAGS["caller"],
            to_tag=TAGS["agent"],
            sdp=only_chosen(caller_sdp),
            codec={"transcode": ["PCMA", "PCMU"]},
            **_ANCHOR,
        )

    async def _answer(self, call_id: str, agent_sdp: str) -> Reply:
        return await self._ng.command(
            "answer",
            call_id=call_id,
            from_tag=TAGS["caller"],
            to_tag=TAGS["agent"],
            sdp=agent_sdp,
            **_ANCHOR,
        )


def _sdp(reply: Reply) -> str:
    sdp = reply.get("sdp")
    if not isinstance(sdp, str):
        raise MediaError("offer", "the reply has no SDP")
    return sdp
