"""A web server on localhost that gives one file, in every way in which servers misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

QUOTA = (
    b"<html><head><title>Google Drive - Quota exceeded</title></head><body>"
    b'<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>'
    b'<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. Please try '
    b"accessing the file again later.</p></body></html>"
)


@dataclass
class FileServer:
    content: bytes
    port: int = 0
    ranges: bool = True  #: whether it knows them
    cut: list[int] = field(default_factory=list)  #: bytes after which each of the next answers breaks off
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)  #: (code, headers) of the next answers
    page: bytes | None = None  #: a web page instead of the file
    wrong_range: bool = False
    length: bool = True  #: whether it says how much will come
    asked: list[str | None] = field(default_factory=list)  #: the Range of every request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/file.pth"


@contextmanager
def serve(content: bytes) -> Iterator[FileServer]:
    state = FileServer(content)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append(asked)
            if state.refusals:
                code, headers = state.refusals.pop(0)
                return self._answer(code, headers, b"")
            if state.page is not None:
                return self._answer(200, {"Content-Type": "text/html; charset=utf-8"}, state.page)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges else 0
            total = len(state.content)
            if start >= total:
                return self._answer(416, {"Content-Range": f"bytes */{total}"}, b"")
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Disposition": 'attachment; filename="f.pth"',
            }
            if asked and state.ranges:
                first = start + 1 if state.wrong_range else start
                headers["Content-Range"] = f"bytes {first}-{total - 1}/{total}"
            return self._answer(206 if asked and state.ranges else 200, headers, state.content[start:])

        def _answer(self, code: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            if state.length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.cut and code in (200, 206) and state.page is None:
                body = body[: state.cut.pop(0)]
                self.close_connection = True
            self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # a client that hangs up in the middle

    server = Server(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
