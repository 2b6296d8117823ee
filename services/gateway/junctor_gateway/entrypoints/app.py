"""The FastAPI application: the routes of all RPCs, the OpenAPI document, its Swagger page, health."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from junctor_service.errors import unavailable
from junctor_service.health import Health
from junctor_service.tenant import TENANT_METADATA
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse

from junctor_gateway.application.catalogue import methods
from junctor_gateway.application.openapi import document
from junctor_gateway.entrypoints.answers import http_exception, problem_response
from junctor_gateway.entrypoints.calls import Calls
from junctor_gateway.entrypoints.grpc_web_routes import add_grpc_web_route
from junctor_gateway.entrypoints.json_routes import add_json_route
from junctor_gateway.settings import GatewaySettings

_ASKED_HEADERS = (
    "authorization",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "grpc-timeout",
    "traceparent",
    "x-grpc-web",
    "x-user-agent",
    TENANT_METADATA,
)
_SHOWN_HEADERS = ("retry-after", "www-authenticate", "grpc-status", "grpc-message", "grpc-status-details-bin")
_A_DAY = 86_400


def application(calls: Calls, settings: GatewaySettings, health: Health) -> FastAPI:
    """All that HTTP serves."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, exception_handlers={HTTPException: http_exception})
    app.router.redirect_slashes = False
    for method in methods():
        add_json_route(app, method, calls, settings)
        add_grpc_web_route(app, method, calls, settings)
    _add_pages(app, settings, health)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=_ASKED_HEADERS,
            expose_headers=_SHOWN_HEADERS,
            max_age=_A_DAY,
        )
    return app


def _add_pages(app: FastAPI, settings: GatewaySettings, health: Health) -> None:
    async def openapi(request: Request) -> Response:
        return JSONResponse(document())

    async def swagger(request: Request) -> Response:
        assets: dict[str, Any] = {}
        if settings.swagger_assets:
            assets["swagger_js_url"] = f"{settings.swagger_assets}/swagger-ui-bundle.js"
            assets["swagger_css_url"] = f"{settings.swagger_assets}/swagger-ui.css"
        return get_swagger_ui_html(openapi_url="/openapi.json", title="Junctor", **assets)

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "SERVING"})

    async def ready(request: Request) -> Response:
        if health.ready:
            return JSONResponse({"status": "SERVING"})
        return problem_response(unavailable("The gateway is not ready.", reason="NOT_READY"))

    for path, page in (("/openapi.json", openapi), ("/docs", swagger), ("/livez", live), ("/readyz", ready)):
        app.add_api_route(path, page, methods=["GET"], include_in_schema=False, response_model=None)
