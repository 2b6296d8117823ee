"""The part of the Kubernetes API that a voter uses, by HTTP: Leases with optimistic concurrency, as the API server has it.

Its rules (kubernetes.io, API concepts, "Resource versions"; apimachinery's generic registry): a create of a name that
exists is 409 AlreadyExists; an update that names a resourceVersion other than the present one is 409 Conflict; one that
names none is unconditional; one that changes nothing keeps the resourceVersion; a create that names one is 400.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PATH = re.compile(r"/apis/coordination\.k8s\.io/v1/namespaces/(?P<namespace>[^/]+)/leases(?:/(?P<name>[^/?]+))?$")


class LeaseApi(ThreadingHTTPServer):
    """Serves in a thread of its own until `close`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.leases: dict[tuple[str, str], dict[str, Any]] = {}
        self.revision = 1000
        self.turn = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(5)

    def create(self, namespace: str, lease: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        meta = lease["metadata"]
        if meta.get("resourceVersion"):
            return _status(400, "BadRequest", "resourceVersion should not be set on objects to be created")
        if (namespace, meta["name"]) in self.leases:
            return _status(409, "AlreadyExists", f'leases "{meta["name"]}" already exists')
        meta["uid"] = str(uuid.uuid4())
        return 201, self._keep(namespace, lease)

    def update(self, namespace: str, name: str, lease: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        old = self.leases.get((namespace, name))
        if old is None:
            return _status(404, "NotFound", f'leases "{name}" not found')
        named = lease["metadata"].get("resourceVersion")
        if named and named != old["metadata"]["resourceVersion"]:
            return _status(
                409, "Conflict", "the object has been modified; please apply your changes to the latest version"
            )
        lease["metadata"]["uid"] = old["metadata"]["uid"]
        lease["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if lease == old:
            return 200, old
        return 200, self._keep(namespace, lease)

    def _keep(self, namespace: str, lease: dict[str, Any]) -> dict[str, Any]:
        self.revision += 1
        lease["metadata"]["namespace"] = namespace
        lease["metadata"]["resourceVersion"] = str(self.revision)
        self.leases[namespace, lease["metadata"]["name"]] = lease
        return lease


class _Handler(BaseHTTPRequestHandler):
    server: LeaseApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        place = self._place()
        with self.server.turn:
            lease = self.server.leases.get(place)
            self._answer(*((200, lease) if lease else _status(404, "NotFound", f'leases "{place[1]}" not found')))

    def do_POST(self) -> None:
        body, place = self._body(), self._place()
        with self.server.turn:
            self._answer(*self.server.create(place[0], body))

    def do_PUT(self) -> None:
        body, place = self._body(), self._place()
        with self.server.turn:
            self._answer(*self.server.update(*place, body))

    def _place(self) -> tuple[str, str]:
        found = _PATH.match(self.path)
        assert found is not None, self.path
        return found["namespace"], found["name"] or ""

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body.setdefault("metadata", {})
        return body

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **body}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""


def _status(code: int, reason: str, message: str) -> tuple[int, dict[str, Any]]:
    return code, {"apiVersion": "v1", "kind": "Status", "code": code, "reason": reason, "message": message}
