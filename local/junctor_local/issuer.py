"""The local site's token issuer: `python -m junctor_local.issuer --listen HOST:PORT --directory DIR`.

GET /.well-known/jwks.json gives the public keys. POST /token with `Authorization: Bearer <workload secret>` and
{"subject", "roles", "tenant"?, "agent_id"?, "lifetime"?} gives {"access_token", "token_type", "expires_in"}.
"""

import argparse
import hmac
import json
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from junctor_local.tokens import EVERY_TENANT, BadClaim, SigningKey, mint, signing_key, workload_secret

_LONGEST_BODY = 65536
_LONGEST_LIFE = 86400


class Issuer(ThreadingHTTPServer):
    """Serves until `shutdown`; OSError if the address is in use."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, directory: Path) -> None:
        """`directory` holds the signing key and the workload secret, both made if they do not exist."""
        self.key: SigningKey = signing_key(directory)
        self.secret = workload_secret(directory)
        super().__init__((host, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Issuer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        if self.path == "/.well-known/jwks.json":
            self._answer(HTTPStatus.OK, self.server.key.jwks())
        elif self.path == "/healthz":
            self._answer(HTTPStatus.OK, {"status": "serving"})
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "not_found"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LONGEST_BODY:
            self.close_connection = True
            self._answer(HTTPStatus.BAD_REQUEST, {"error": "invalid_request"})
            return
        body = self.rfile.read(int(length))
        if self.path != "/token":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "not_found"})
        elif not hmac.compare_digest(
            self.headers.get("Authorization", "").encode(), f"Bearer {self.server.secret}".encode()
        ):
            self._answer(HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"})
        else:
            self._token(body)

    def _token(self, body: bytes) -> None:
        try:
            wanted = json.loads(body)
            if not isinstance(wanted, dict):
                raise BadClaim("the body is not a JSON object")
            lifetime = int(wanted.get("lifetime", 3600))
            if not 0 < lifetime <= _LONGEST_LIFE:
                raise BadClaim(f"lifetime is between 1 and {_LONGEST_LIFE} seconds")
            token = mint(
                self.server.key,
                str(wanted.get("subject", "")),
                str(wanted.get("tenant", EVERY_TENANT)),
                [str(role) for role in wanted.get("roles", [])],
                str(wanted["agent_id"]) if wanted.get("agent_id") else None,
                lifetime,
            )
        except (ValueError, TypeError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": "invalid_request", "error_description": str(error)})
            return
        self._answer(HTTPStatus.OK, {"access_token": token, "token_type": "Bearer", "expires_in": lifetime})

    def _answer(self, status: HTTPStatus, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store" if self.command == "POST" else "max-age=60")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""


def main() -> int:
    """Serves until SIGTERM or SIGINT; exit status 2 if the address cannot be listened on."""
    options = argparse.ArgumentParser(prog="python -m junctor_local.issuer", description=__doc__)
    options.add_argument("--listen", required=True, help="host:port of the HTTP server")
    options.add_argument(
        "--directory", type=Path, required=True, help="folder of the signing key and the workload secret"
    )
    given = options.parse_args()
    host, _, port = given.listen.rpartition(":")
    try:
        issuer = Issuer(host, int(port), given.directory)
    except OSError as error:
        print(f"The token issuer cannot listen on {given.listen}: {error.strerror}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=issuer.shutdown).start())
    issuer.serve_forever()
    issuer.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
