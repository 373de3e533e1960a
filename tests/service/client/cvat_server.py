"""As much of a CVAT server as its command line needs to annotate a task: one image, and what is uploaded.

It stands for CVAT itself, which runs in a dozen containers that are not available here. The clients `cvat-cli` and
`cvat-sdk` are the real ones.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

FRAME = "crowd/people.jpg"
LABELS = [{"id": 71, "name": "Person", "type": "any", "attributes": [], "sublabels": []}]


@dataclass
class Cvat:
    """A running server.

    Attributes:
        url: where it is.
        uploads: annotations that were added to the task.
        asked: methods and paths that it doesn't know.
    """

    url: str
    uploads: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextmanager
def cvat(picture: bytes, width: int, height: int) -> Iterator[Cvat]:
    """A server with the image as task 1."""
    chunk = io.BytesIO()
    with zipfile.ZipFile(chunk, "w") as archive:
        archive.writestr("000000.jpg", picture)
    answers: dict[str, Any] = {
        "/api/server/about": {"name": "", "description": "", "version": "2.80.0", "logo_url": "", "subtitle": ""},
        "/api/users/self": {"id": 1, "username": "somebody", "groups": []},
        "/api/tasks/1": {
            "id": 1,
            "name": "people",
            "organization": None,
            "size": 1,
            "data_chunk_size": 1,
            "data_original_chunk_type": "imageset",
            "data_compressed_chunk_type": "imageset",
            "updated_date": "2026-01-01T00:00:00Z",
            "jobs": {"count": 1, "completed": 0, "validation": 0, "url": ""},
            "labels": {"url": ""},
        },
        "/api/labels": {"count": 1, "next": None, "previous": None, "results": LABELS},
        "/api/tasks/1/data/meta": {
            "size": 1,
            "start_frame": 0,
            "stop_frame": 0,
            "frame_filter": "",
            "deleted_frames": [],
            "chunks_updated_date": "2026-01-01T00:00:00Z",
            "frames": [{"name": FRAME, "width": width, "height": height, "related_files": 0}],
        },
        "/api/tasks/1/data": chunk.getvalue(),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path.rstrip("/")
            if path not in answers:
                running.asked.append(f"{self.command} {self.path}")
            self.answer(200 if path in answers else 404, answers.get(path, {}))

        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            running.uploads.append(body)
            self.answer(200, {"version": 1, "tags": [], "shapes": [], "tracks": []})

        def answer(self, status: int, content: Any) -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            kind = "application/octet-stream" if isinstance(content, bytes) else "application/vnd.cvat+json"
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Cvat(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
