"""Prompts and digits by cti's media verbs."""

from __future__ import annotations

from junctor.cti.v1 import cti_pb2, cti_pb2_grpc
from junctor.ivr.v1 import ivr_pb2
from junctor_service.client import rpc

DEADLINE = 5.0


class CtiPrompts:
    """Implements `junctor_ivr.application.effects.Prompter`."""

    def __init__(self, stub: cti_pb2_grpc.CtiServiceAsyncStub) -> None:
        self._stub = stub

    async def request(self, tenant: str, prompt: ivr_pb2.PromptRequested, request_id: str) -> None:
        """Asks the call's edge for the verb. Raises `ServiceError`."""
        await rpc(
            self._stub.PromptAndCollect(
                cti_pb2.PromptAndCollectRequest(
                    request_id=request_id,
                    tenant=tenant,
                    contact_id=prompt.contact_id,
                    verb_id=prompt.verb_id,
                    prompts=prompt.prompts,
                    language=prompt.language,
                    max_digits=prompt.max_digits,
                    timeout_ms=prompt.timeout_ms,
                    barge_in=prompt.barge_in,
                    secret=prompt.secret,
                ),
                timeout=DEADLINE,
            )
        )
