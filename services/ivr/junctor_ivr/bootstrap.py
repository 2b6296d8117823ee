"""The one place where the ivr service's parts are put together."""

from __future__ import annotations

from typing import cast

from google.protobuf.message import Message
from junctor.cti.v1 import cti_pb2_grpc
from junctor.ivr.v1 import ivr_pb2_grpc
from junctor_journal.aggregates import AggregateFold
from junctor_service.foundation import Foundation
from junctor_service.run import Service

from junctor_ivr.adapters.cti_prompts import CtiPrompts
from junctor_ivr.adapters.directory_flows import DirectoryFlows
from junctor_ivr.application.effects import FlowEffects
from junctor_ivr.application.flows import Flows
from junctor_ivr.application.mapping import new_fold
from junctor_ivr.application.reactions import reactions
from junctor_ivr.domain.session import Session
from junctor_ivr.entrypoints.grpc import IvrServicer
from junctor_ivr.settings import IvrSettings

CTI_EVENTS = "junctor.cti.events.v1"


def bind(settings: IvrSettings) -> Service:
    """The service, ready to start."""
    f = Foundation("ivr", settings)

    async def report(message: Message, **origin: str) -> None:
        await f.commands.tell(f.commands.fact(message, **origin))

    def look(tenant: str, contact_id: str) -> Session | None:
        fold = ledger.state(ledger.partition_of(tenant, contact_id))
        return cast(AggregateFold[Session], fold).get(tenant, contact_id)

    cti = cast("cti_pb2_grpc.CtiServiceAsyncStub", f.stub(cti_pb2_grpc.CtiServiceStub, settings.cti_address))
    ledger = f.ledger(new_fold, FlowEffects(f.effects, CtiPrompts(cti), report, f.telemetry, f.clock))
    commands = f.commands
    f.react([CTI_EVENTS], reactions(commands.fact))
    flows = Flows(DirectoryFlows(f.replica()), commands.apply, look)
    return f.service([(ivr_pb2_grpc.add_IvrServiceServicer_to_server, IvrServicer(flows))])
