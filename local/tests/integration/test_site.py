"""A site without services: what it starts, what it says when it cannot, and that it leaves nothing behind."""

import socket
from pathlib import Path

import pytest
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_local import places, site_state
from junctor_local.site import Site, SiteIsUp
from junctor_local.site_ports import PortInUse, free_site_ports


async def test_its_parts_come_back_after_sigkill_and_are_gone_after_its_stop(tmp_path: Path) -> None:
    site = Site(tmp_path, free_ports=True, services=())
    await site.start()
    try:
        pids = {name: site.pid(name) for name in site.components}
        assert set(pids) == {"kafka", "clickhouse", "media", "issuer"}
        assert all(used > 1_000_000 for used in site.pss_bytes().values())
        await site.kill("media")
        await site.healthy("media")
        assert site.pid("media") != pids["media"]
        log = KafkaLog(site.address("kafka"))
        await log.start()
        for declared in topics.declared(places.repository() / "topics.yaml"):
            assert await log.partitions(declared.name) == declared.partitions
        await log.stop()
        await site.stop_component("clickhouse")
        assert site.pid("clickhouse") is None
        await site.start_component("clickhouse")
        await site.healthy("clickhouse")
        with pytest.raises(SiteIsUp, match=r"process \d+.*junctor down"):
            await Site(tmp_path, ports=site.ports, services=()).start()
        state = site_state.read(tmp_path)
        assert state is not None
        assert (state.phase, state.up) == ("ready", True)
    finally:
        await site.stop()
    processes = [component.process for component in state.components.values()]
    assert not any(process.alive for process in processes if process)
    assert site.ports.in_use() == []


async def test_a_port_in_use_is_named_with_its_holder(tmp_path: Path) -> None:
    ports = free_site_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports.numbers["sip"]))
        taken.listen()
        with pytest.raises(
            PortInUse, match=rf"Port {ports.numbers['sip']} \(SIP\) is in use by process \d+(.|\n)*--ports-from"
        ):
            await Site(tmp_path, ports=ports, services=()).start()
    state = site_state.read(tmp_path)
    assert state is not None
    assert state.phase == "failed"


async def test_a_missing_java_is_named_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, free_ports=True, services=())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="Java 17 is missing(.|\n)*apt-get install openjdk-17-jre-headless"):
        await site.start()
    assert not any(site.pid(name) for name in site.components)


def test_what_is_configured_elsewhere_is_not_started_here(tmp_path: Path) -> None:
    settings = {"JUNCTOR_KAFKA_BOOTSTRAP": "kafka.example:9092", "JUNCTOR_CTI__MEDIA_NG": "rtpengine.example:2223"}
    site = Site(tmp_path, free_ports=True, services=("ivr",), settings=settings)
    assert site.components == ("clickhouse", "issuer", "ivr")
    assert site.env["JUNCTOR_KAFKA_BOOTSTRAP"] == "kafka.example:9092"
