"""Answers that are alike for all paths: problems, and what becomes of an exception."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from junctor_service.errors import Code, ServiceError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from junctor_gateway.application.problems import MEDIA_TYPE, HttpError, headers_of, problem_of, status_of

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


def problem_response(error: ServiceError) -> Response:
    """The error as application/problem+json."""
    content = json.dumps(problem_of(error), ensure_ascii=False)
    return Response(content, status_of(error), headers_of(error), MEDIA_TYPE)


def told(error: Exception) -> ServiceError:
    """What the caller is told; an exception that no one foresaw says nothing of the inside, and is logged."""
    if isinstance(error, ServiceError):
        return error
    log.error("request failed", exc_info=error)
    return ServiceError(Code.INTERNAL, "The request failed inside the gateway.", reason="INTERNAL")


def answering(handler: Handler) -> Handler:
    """The handler, whose exceptions become problems."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:
            return problem_response(told(error))

    return answer


async def http_exception(request: Request, error: Exception) -> Response:
    """Unknown paths and methods."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        found = HttpError(405, Code.UNIMPLEMENTED, "The path does not answer this method.", reason="WRONG_METHOD")
    else:
        found = HttpError(error.status_code, Code.NOT_FOUND, "There is no such path.", reason="PATH_UNKNOWN")
    response = problem_response(found)
    response.headers.update(error.headers or {})
    return response
