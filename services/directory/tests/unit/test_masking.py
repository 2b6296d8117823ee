"""A phone's hashes never leave the journal's state: every algorithm is masked, each time."""

from junctor.directory.v1 import directory_pb2
from junctor_directory.application.values import masked

ALGORITHMS = [f"H{number}" for number in range(40)]


def test_every_hash_of_a_phone_is_masked_and_the_value_itself_is_not_changed():
    hashes = {algorithm: f"secret of {algorithm}" for algorithm in ALGORITHMS}
    value = directory_pb2.Value(id="alice", agent=directory_pb2.Agent(device="1001", device_ha1=hashes))
    shown = masked(value)
    assert set(shown.agent.device_ha1) == set(ALGORITHMS)
    assert not [text for text in shown.agent.device_ha1.values() if "secret" in text]
    assert dict(value.agent.device_ha1) == hashes
