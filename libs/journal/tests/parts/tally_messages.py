"""The messages of the tests' service, compiled from `tally.proto` when first imported."""

import tempfile
from pathlib import Path
from types import ModuleType

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc


def _load():
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "set"
        assert protoc.main(["protoc", f"-I{here}", f"--descriptor_set_out={out}", str(here / "tally.proto")]) == 0
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.Default()
    for file in files.file:
        pool.Add(file)
    return pool.FindFileByName("tally.proto")


tally_pb = ModuleType("tally_pb")
tally_pb.DESCRIPTOR = _load()
for _name, _descriptor in tally_pb.DESCRIPTOR.message_types_by_name.items():
    setattr(tally_pb, _name, message_factory.GetMessageClass(_descriptor))
