"""What every voter keeps to. A test module imports these tests and has the fixture `voters`.

`voters()` gives a voter on the same object each time it is called: several processes that share one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from junctor_register.holdings import Holding, Register, Release, SealedAt
from junctor_register.voter import Voter

Voters = Callable[[], Voter]
FIRST = Register({0: Holding(1, "a")}, {"a": "kafka-a"})
SECOND = Register({0: Holding(1, "a", renewed=1), 11: Holding(7, "b")}, {"a": "kafka-a"})


async def test_before_the_first_write_it_is_empty(voters: Voters) -> None:
    found = await voters().read()
    assert (found.version, found.value) == ("", Register())


async def test_what_was_written_is_read_by_everybody(voters: Voters) -> None:
    everything = Register(
        {
            0: Holding(
                3, "a", 5, Release("b", SealedAt("a", 99, b"\x00\xff")), SealedAt("b", 12, b"x"), appointed=True
            ),
            7: Holding(2**40, "b", 2**33, Release("")),
        },
        {"a": "kafka-a", "b": "kafka-b"},
    )
    answer = await voters().write(everything, "")
    assert answer.written
    assert answer.now.value == everything
    assert await voters().read() == answer.now


async def test_a_write_replaces_the_version_that_it_names(voters: Voters) -> None:
    first = await voters().write(FIRST, "")
    second = await voters().write(SECOND, first.now.version)
    assert second.written
    assert second.now.version not in {"", first.now.version}
    assert (await voters().read()).value == SECOND


async def test_a_write_on_another_version_changes_nothing_and_tells_what_stands(voters: Voters) -> None:
    first = await voters().write(FIRST, "")
    second = await voters().write(SECOND, first.now.version)
    for old in ("", first.now.version):
        late = await voters().write(FIRST, old)
        assert not late.written
        assert late.now == second.now
    assert await voters().read() == second.now


async def test_a_repeated_write_is_not_carried_out_twice(voters: Voters) -> None:
    first = await voters().write(FIRST, "")
    second = await voters().write(SECOND, first.now.version)
    again = await voters().write(SECOND, first.now.version)
    assert (again.written, again.now) == (False, second.now)


async def test_of_writers_at_once_one_wins_each_version(voters: Voters) -> None:
    several = [voters() for _ in range(4)]
    await several[0].write(Register({0: Holding(1, "a")}), "")

    async def count(voter: Voter) -> int:
        won = 0
        while won < 8:
            now = await voter.read()
            holding = now.value.partitions[0]
            more = Holding(1, "a", renewed=holding.renewed + 1)
            won += (await voter.write(now.value.with_partitions({0: more}), now.version)).written
        return won

    assert await asyncio.gather(*map(count, several)) == [8] * 4
    assert (await several[0].read()).value.partitions[0].renewed == 32
