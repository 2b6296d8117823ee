"""A voter as a program: `python -m junctor_local.witness`, with the settings of a service of the name `witness`.

Alone in a third place it is the witness; inside a site it is the site's own voter. It needs a folder that outlives it
(`JUNCTOR_STATE_DIR`), the token issuers' keys (`JUNCTOR_JWKS`) and an address (`JUNCTOR_GRPC_LISTEN`): no Kafka, and nothing of
customers. It listens with TLS where the common settings name a certificate.
"""

import logging
import time
from dataclasses import dataclass

from junctor.register.v1 import register_pb2_grpc
from junctor_register.file_voter import VoterFolder
from junctor_register.grpc_voter import VoterServicer
from junctor_service.audit import Outcome
from junctor_service.health import Health
from junctor_service.probes import ProbeServer
from junctor_service.run import Component, Service, main
from junctor_service.server import GrpcServer
from junctor_service.settings import CommonSettings
from junctor_service.tokens import Principal
from junctor_service.verifier import verifier_from

NAME = "witness"
_EVERY = 600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessSettings(CommonSettings):
    """The common ones; those of Kafka and of other services are not used."""


class LoggedAudit:
    """Refusals as lines of the log: there is no Kafka here. The same refusal of the same subject is told every 10 minutes."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, str], float] = {}

    def record(
        self,
        action: str,
        principal: Principal | None,
        tenant: str,
        outcome: Outcome,
        reason: str = "",
        target: str = "",
    ) -> None:
        """See `junctor_service.audit.Audit`."""
        subject = principal.subject if principal else ""
        now = time.monotonic()
        self._told = {key: at for key, at in self._told.items() if now - at < _EVERY}
        if self._told.setdefault((action, subject, reason), now) == now:
            _log.info("audit", extra={"action": action, "subject": subject, "outcome": outcome.value, "reason": reason})


class _Folder:
    """The component that has the voter's folder for itself while it runs."""

    name = "register"

    def __init__(self, folder: VoterFolder) -> None:
        self._folder = folder

    @property
    def ready(self) -> bool:
        return self._folder.open

    async def start(self) -> None:
        self._folder.take()

    async def stop(self, deadline: float) -> None:
        self._folder.close()


def bind(settings: WitnessSettings) -> Service:
    """The voter's parts, wired. A damaged object ends the start with a sentence that names the file."""
    health = Health(NAME)
    folder = VoterFolder(settings.state_dir / "register")
    verifier = verifier_from(settings)
    server = GrpcServer(
        NAME,
        settings,
        [(register_pb2_grpc.add_VoterServiceServicer_to_server, VoterServicer(folder))],
        verifier=verifier,
        audit=LoggedAudit(),
        health=health,
    )
    parts: list[Component] = [_Folder(folder), verifier, server]
    if settings.probe_listen is not None:
        parts.insert(0, ProbeServer(health, settings.probe_listen))
    return Service(NAME, parts, settings, health=health)


if __name__ == "__main__":
    main(NAME, WitnessSettings, bind)
