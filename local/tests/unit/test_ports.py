"""Which ports a site gets."""

import pytest
from junctor_local.ports import free_port, free_ports, release
from junctor_local.site_ports import SERVICES, ports_from, standard_ports


def test_the_standard_ports_are_different_and_outside_of_the_media_range() -> None:
    ports = standard_ports()
    numbers = list(ports.numbers.values())
    assert len(set(numbers)) == len(numbers)
    assert not any(ports.rtp_first <= number <= ports.rtp_last for number in numbers)
    assert set(SERVICES) < set(ports.numbers)


def test_a_block_begins_where_it_is_told_and_does_not_overlap_itself() -> None:
    ports = ports_from(21000)
    assert min(ports.numbers.values()) == 21000
    assert max(ports.numbers.values()) < ports.rtp_first < ports.rtp_last
    assert set(ports.numbers) == set(standard_ports().numbers)


@pytest.mark.parametrize("first", [0, 80, 64900, 70000])
def test_a_block_out_of_range_is_refused(first: int) -> None:
    with pytest.raises(ValueError, match="not all between 1024 and 65535"):
        ports_from(first)


def test_many_single_ports_leave_room_for_a_range() -> None:
    singles = [free_port() for _ in range(600)]
    try:
        block = free_ports(200)
        assert len(block) == 200
        assert not set(block) & set(singles)
        release(block)
    finally:
        release(singles)
