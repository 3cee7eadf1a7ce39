"""A stand-in for the Hugging Face Hub on loopback: repositories with commits, as far as models need them."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]


@dataclass
class Repository:
    """Commits of one repository by their hash, and what its branches name."""

    private: bool
    commits: dict[str, Files] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Files, branch: str = "main") -> str:
        """Add a commit to a branch and return its hash."""
        identity = hashlib.sha1(f"{len(self.commits)}".encode(), usedforsecurity=False).hexdigest()
        self.commits[identity], self.branches[branch] = files, identity
        return identity

    def files(self, revision: str) -> tuple[str, Files] | None:
        """Return the commit of a revision and its files."""
        identity = self.branches.get(revision, revision)
        return (identity, self.commits[identity]) if identity in self.commits else None


@dataclass
class Hub:
    """All repositories, the address, and the requests that came."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    endpoint: str = ""


@contextmanager
def serve() -> Iterator[Hub]:
    """Serve on a free port of loopback until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        """Create a repository, check a card, or take a commit."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = self._parts()
        if parts == ["api", "repos", "create"]:
            self._create(json.loads(body))
        elif parts == ["api", "validate-yaml"]:
            self._answer({"errors": [], "warnings": []})
        elif "preupload" in parts:
            files = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in json.loads(body)["files"]]  # fmt: skip # noqa: E501
            self._answer({"files": files})
        elif "commit" in parts:
            self._commit("/".join(parts[2:4]), parts[5], body)
        else:
            self._refuse("EntryNotFound")

    def do_GET(self) -> None:
        """Describe a repository, list its files, or give one."""
        parts = self._parts()
        if parts[:2] == ["api", "models"]:
            self._describe("/".join(parts[2:4]), parts[4:])
        else:
            self._give("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    do_HEAD = do_GET  # noqa: N815 - the name of http.server

    def _parts(self) -> list[str]:
        self.hub.requests.append(f"{self.command} {self.path}")
        return [unquote(part) for part in urlsplit(self.path).path.split("/")[1:]]

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}" if wanted.get("organization") else wanted["name"]
        if name in self.hub.repositories:
            self._answer({"error": "You already created this model repo", "url": f"{self.hub.endpoint}/{name}"}, 409)
            return
        private = bool(wanted.get("private")) or wanted.get("visibility") == "private"
        self.hub.repositories[name] = Repository(private)
        self.hub.repositories[name].commit({".gitattributes": b""})
        self._answer({"url": f"{self.hub.endpoint}/{name}"})

    def _commit(self, name: str, branch: str, body: bytes) -> None:
        repository = self.hub.repositories[name]
        found = repository.files(branch)
        files = dict(found[1]) if found else {}
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        identity = repository.commit(files, branch)
        self._answer({"commitUrl": f"{self.hub.endpoint}/{name}/commit/{identity}", "commitOid": identity})

    def _describe(self, name: str, rest: list[str]) -> None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._refuse("RepoNotFound")
            return
        found = repository.files(rest[1] if len(rest) > 1 else "main")
        if found is None:
            self._refuse("RevisionNotFound")
        elif rest[:1] == ["tree"]:
            self._answer([{"type": "file", "path": path, "size": len(content), "oid": _oid(content)} for path, content in found[1].items()])  # fmt: skip # noqa: E501
        else:
            siblings = [{"rfilename": path} for path in found[1]]
            self._answer({"id": name, "sha": found[0], "private": repository.private, "siblings": siblings})

    def _give(self, name: str, revision: str, path: str) -> None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._refuse("RepoNotFound")
            return
        found = repository.files(revision)
        if found is None:
            self._refuse("RevisionNotFound")
        elif path not in found[1]:
            self._refuse("EntryNotFound", commit=found[0])
        else:
            content = found[1][path]
            self._send(200, content, {"X-Repo-Commit": found[0], "ETag": f'"{_oid(content)}"'})

    def _answer(self, document: object, status: int = 200) -> None:
        self._send(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _refuse(self, code: str, *, commit: str = "") -> None:
        self._send(404, b"{}", {"X-Error-Code": code, "X-Error-Message": code, "X-Repo-Commit": commit})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _oid(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
