"""A small Hub on loopback, faithful where publishing depends on it, that can fail on command.

It keeps commits with parents, refuses a stale ``parentCommit`` (412), stores LFS objects only if
their SHA-256 is right, and takes one token.  ``fail(step, how)`` makes the next request of a step
go wrong; ``how`` is ``drop``, ``corrupt``, or a status such as 500 or 429.
"""

# ruff: noqa: E501
from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_only-this-token-may-write"
STEPS = (
    ("create", "POST", r"/api/repos/create"),
    ("validate", "POST", r"/api/validate-yaml"),
    ("preupload", "POST", r"/api/models/(?P<repo>[^/]+/[^/]+)/preupload/(?P<rev>.+)"),
    ("batch", "POST", r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch"),
    ("upload", "PUT", r"/lfs/(?P<oid>[0-9a-f]{64})"),
    ("commit", "POST", r"/api/models/(?P<repo>[^/]+/[^/]+)/commit/(?P<rev>.+)"),
    ("tag", "POST", r"/api/models/(?P<repo>[^/]+/[^/]+)/tag/(?P<rev>.+)"),
    ("refs", "GET", r"/api/models/(?P<repo>[^/]+/[^/]+)/refs"),
    ("tree", "GET", r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<rev>[^/]+)"),
    ("info", "GET", r"/api/models/(?P<repo>[^/]+/[^/]+)/revision/(?P<rev>.+)"),
    ("info", "GET", r"/api/models/(?P<repo>[^/]+/[^/]+)"),
    ("download", "HEAD|GET", r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<rev>[^/]+)/(?P<path>.+)"),
)


class Repo:
    """Commits as whole trees; a branch and tags point at them."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, bytes]] = {}
        self.refs: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.add("main", {".gitattributes": b"*.safetensors filter=lfs\n"})

    def add(self, branch: str, tree: dict[str, bytes]) -> str:
        seed = f"{len(self.commits)}{self.refs.get(branch)}{sorted(tree)}"
        oid = hashlib.sha1(seed.encode()).hexdigest()
        self.commits[oid] = tree
        self.refs[branch] = oid
        return oid

    def find(self, revision: str) -> str | None:
        known = {**self.refs, **self.tags}
        return known.get(revision) or (revision if revision in self.commits else None)


class LocalHub:
    """The server; ``with LocalHub() as hub`` runs it on a free port."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.faults: dict[str, list[Any]] = {}
        self.seen: list[str] = []
        self.rights = True
        hub = self

        class Handler(_Handler):
            state = hub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> LocalHub:
        serve = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        serve.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fail(self, step: str, how: str | int, times: int = 1) -> None:
        self.faults[step] = [how] * times

    def between(self, step: str, act: Any) -> None:
        """Do something just before a step, as somebody else would."""
        self.faults[step] = [act]


class _Handler(BaseHTTPRequestHandler):
    state: LocalHub
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: apart, each answer waits 40 ms for the reader

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        size = int(self.headers.get("Content-Length") or 0)
        for step, method, pattern in STEPS:
            found = re.fullmatch(pattern, path)
            if found and re.fullmatch(method, self.command):
                return self._step(step, found.groupdict(), size)
        self.rfile.read(size)
        return self._answer(404, {"error": f"no such call: {self.command} {path}"})

    do_GET = do_POST = do_PUT = do_HEAD = _serve

    def _step(self, step: str, words: dict[str, str], size: int) -> None:
        hub = self.state
        hub.seen.append(step)
        fault = hub.faults[step].pop(0) if hub.faults.get(step) else None
        if fault == "drop":
            self.rfile.read(size // 2)
            self.close_connection = True
            return self.connection.close()
        body = self.rfile.read(size)
        if callable(fault):
            fault()
        elif isinstance(fault, int):
            return self._answer(fault, {"error": "on command"}, {"Retry-After": "1"})
        if step not in ("upload", "download") and self.command != "GET":
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._answer(401, {"error": "Invalid credentials"},
                                    {"X-Error-Message": "Invalid credentials in Authorization header"})  # fmt: skip
            if not hub.rights:
                return self._answer(403, {"error": "Forbidden"})
        repo = hub.repos.get(words.get("repo", ""))
        if "repo" in words and repo is None:
            return self._answer(404, {"error": "none"}, {"X-Error-Code": "RepoNotFound"})
        return getattr(self, f"_{step}")(repo, words, body, fault)

    def _create(self, _repo: Any, _words: Any, body: bytes, _fault: Any) -> None:
        asked = json.loads(body)
        name = (
            f"{asked['organization']}/{asked['name']}"
            if asked.get("organization")
            else asked["name"]
        )
        status = 409 if name in self.state.repos else 200
        self.state.repos.setdefault(name, Repo())
        self._answer(status, {"url": f"{self.state.url}/{name}", "name": name})

    def _validate(self, *_: Any) -> None:
        self._answer(200, {"errors": [], "warnings": []})

    def _preupload(self, _repo: Any, _words: Any, body: bytes, _fault: Any) -> None:
        files = [
            {"path": f["path"], "shouldIgnore": False,
             "uploadMode": "lfs" if f["path"].endswith(".safetensors") else "regular"}
            for f in json.loads(body)["files"]
        ]  # fmt: skip
        self._answer(200, {"files": files})

    def _batch(self, _repo: Any, _words: Any, body: bytes, _fault: Any) -> None:
        objects = []
        for wanted in json.loads(body)["objects"]:
            entry = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.state.objects:
                entry["actions"] = {"upload": {"href": f"{self.state.url}/lfs/{wanted['oid']}"}}
            objects.append(entry)
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _upload(self, _repo: Any, words: dict[str, str], body: bytes, _fault: Any) -> None:
        if hashlib.sha256(body).hexdigest() != words["oid"]:
            return self._answer(400, {"error": "other bytes"})
        self.state.objects[words["oid"]] = body
        return self._answer(200, {})

    def _commit(self, repo: Repo, words: dict[str, str], body: bytes, fault: Any) -> None:
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        parent = lines[0]["value"].get("parentCommit")
        head = repo.refs[words["rev"]]
        if parent and parent != head:
            return self._answer(412, {"error": "A commit has happened since."})
        tree = dict(repo.commits[head])
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                tree[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                tree[value["path"]] = self.state.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                tree.pop(value["path"])
        if fault == "corrupt":
            data = bytearray(tree["model.safetensors"])
            data[-1] ^= 1
            tree["model.safetensors"] = bytes(data)
        oid = repo.add(words["rev"], tree)
        return self._answer(200, {"commitUrl": f"{self.state.url}/{words['repo']}/commit/{oid}", "commitOid": oid,
                                  "hookOutput": ""})  # fmt: skip

    def _tag(self, repo: Repo, words: dict[str, str], body: bytes, _fault: Any) -> None:
        name = json.loads(body)["tag"]
        if name in repo.tags:
            return self._answer(409, {"error": "exists"})
        repo.tags[name] = str(repo.find(words["rev"]))
        return self._answer(200, {})

    def _refs(self, repo: Repo, *_: Any) -> None:
        def shown(kind: str, refs: dict[str, str]) -> list[dict[str, str]]:
            return [
                {"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": c} for n, c in refs.items()
            ]

        self._answer(200, {"branches": shown("heads", repo.refs), "tags": shown("tags", repo.tags),
                           "converts": [], "pullRequests": []})  # fmt: skip

    def _tree(self, repo: Repo, words: dict[str, str], *_: Any) -> None:
        tree = repo.commits[repo.find(words["rev"]) or ""]
        self._answer(200, [
            {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            for path, data in tree.items()
        ])  # fmt: skip

    def _info(self, repo: Repo, words: dict[str, str], *_: Any) -> None:
        oid = repo.find(words.get("rev", "main"))
        if oid is None:
            return self._answer(404, {"error": "none"}, {"X-Error-Code": "RevisionNotFound"})
        files = [{"rfilename": path} for path in repo.commits[oid]]
        return self._answer(200, {"id": words["repo"], "sha": oid, "siblings": files,
                                  "private": False, "downloads": 0, "likes": 0, "tags": []})  # fmt: skip

    def _download(self, repo: Repo, words: dict[str, str], _body: bytes, fault: Any) -> None:
        oid = repo.find(words["rev"])
        if oid is None:
            return self._answer(404, {"error": "none"}, {"X-Error-Code": "RevisionNotFound"})
        data = repo.commits[oid].get(words["path"])
        if data is None:
            return self._answer(404, {"error": "none"}, {"X-Error-Code": "EntryNotFound"})
        if fault == "corrupt":
            data = data[:-1] + bytes([data[-1] ^ 1])
        first = int((re.findall(r"bytes=(\d+)-", self.headers.get("Range") or "") or ["0"])[0])
        return self._answer(206 if first else 200, data[first:], {
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": str(oid)})  # fmt: skip

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
