"""The one place where the directory is wired."""

from __future__ import annotations

from typing import cast

from junctor.directory.v1 import directory_pb2_grpc
from junctor_journal import topics
from junctor_journal.errors import JournalError, Restoring
from junctor_journal.ledger import Ledger
from junctor_journal.replica import StateWriter
from junctor_service.commands import service_error
from junctor_service.foundation import Foundation
from junctor_service.run import Service

from junctor_directory.adapters.projection import Projection
from junctor_directory.adapters.read_model import ReadModel
from junctor_directory.application.changes import Changes
from junctor_directory.application.fold import STREAM, DirectoryFold
from junctor_directory.application.published_state import PublishedState
from junctor_directory.application.queries import Queries
from junctor_directory.application.values import KINDS
from junctor_directory.domain.configuration import Configuration
from junctor_directory.entrypoints.grpc import DirectoryServicer
from junctor_directory.settings import DirectorySettings

LIST_SECONDS = 3.0


def bind(settings: DirectorySettings) -> Service:
    f = Foundation("directory", settings)
    published = PublishedState(
        StateWriter(f.log, topics.state("directory")), f.replica(), KINDS, lambda tenant: _partition(ledger, tenant)
    )
    ledger = f.ledger(DirectoryFold, published)
    model = ReadModel(settings.database_url)
    projection = Projection(f.log, model)

    def state_of(tenant: str) -> Configuration:
        try:
            fold = ledger.state(ledger.partition_of(tenant, STREAM))
        except JournalError as error:
            raise service_error(error) from error
        return cast(DirectoryFold, fold).get(tenant)

    async def up_to_date(tenant: str) -> None:
        try:
            if not ledger.ready:
                raise Restoring("the directory is not read yet")
            partition = ledger.partition_of(tenant, STREAM)
            await projection.reached(partition, ledger.position(partition), LIST_SECONDS)
        except JournalError as error:
            raise service_error(error) from error

    servicer = DirectoryServicer(Changes(state_of, f.commands, settings.prompts), Queries(state_of, model, up_to_date))
    return f.service([(directory_pb2_grpc.add_DirectoryServiceServicer_to_server, servicer)], components=[projection])


def _partition(ledger: Ledger, tenant: str) -> int:
    return ledger.partition_of(tenant, STREAM)
