"""Archives on loopback: an HTTP server that can fail on command, and S3 as moto serves it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOW_SECONDS = 1.5


class HttpArchive(ThreadingHTTPServer):
    """Files by name, with byte ranges; ``trouble`` lists what goes wrong with the next answers.

    ``down`` is a 503 that a question about the file alone gets too.
    """

    def __init__(self, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.trouble: dict[str, list[str]] = {}
        self.gets: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        """Bytes by file."""
        self.ranges = ranges
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: HttpArchive

    def log_message(self, *_args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        name = self.path.lstrip("/")
        data = self.server.files.get(name)
        if data is None:
            return self.send_error(404)
        first, last, status = 0, len(data), 200
        if "Range" in self.headers and self.server.ranges:
            start, end = self.headers["Range"].removeprefix("bytes=").split("-")
            first, last, status = int(start), min(int(end or len(data)) + 1, len(data)), 206
        trouble = self.server.trouble.get(name, [])
        how = trouble.pop(0) if trouble and (body or trouble[0] == "down") else ""
        if how in ("503", "down"):
            return self.send_error(503)
        if how == "slow":
            time.sleep(SLOW_SECONDS)
        part = data[first:last]
        self.send_response(status)
        if self.server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", str(hash(data)))
        self.send_header("Content-Length", str(len(part)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last - 1}/{len(data)}")
        self.end_headers()
        if body:
            self.server.gets[name] += 1
            part = part[: len(part) // 2] if how == "cut" else part
            self.server.sent[name] += len(part)
            self.wfile.write(part)
            if how == "cut":
                self.close_connection = True
        return None


@contextmanager
def s3_archive(bucket: str, files: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    """A bucket on moto; gives the storage options with which fsspec finds it."""
    import boto3
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
        client.create_bucket(Bucket=bucket)
        for name, data in files.items():
            client.put_object(Bucket=bucket, Key=name, Body=data)
        yield {"key": "x", "secret": "x", "client_kwargs": {"endpoint_url": endpoint}}
    finally:
        running.stop()
