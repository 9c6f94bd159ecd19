"""A server that answers as the Hugging Face hub does, from a folder, with what may go wrong on the way.

Large files (*.safetensors) are redirected to a second server, as the hub does, and are named by their SHA-256; others by
the SHA-1 that git gives them.
"""

import hashlib
import http.server
import json
import sys
import threading
import urllib.parse
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def hash_of(path):
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("X-Repo-Commit", COMMIT)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server.hub
        path = urllib.parse.unquote(self.path)
        hub.requests.append((self.server.role, self.command, path, dict(self.headers.items())))
        if hub.statuses:
            status, headers = hub.statuses.pop(0)
            return self.answer(status, b"no", **headers)
        if self.server.role == "storage":
            return self.send_file(hub.folder / path.lstrip("/"))
        if hub.token and self.headers.get("Authorization") != "Bearer " + hub.token:
            return self.answer(401, X_Error_Code=hub.refusal, X_Error_Message="Access is restricted.")
        name, new_name = hub.names
        if path.startswith((f"/api/models/{name}/", f"/{name}/")) and name != new_name:
            return self.answer(307, Location=self.path.replace(name, new_name, 1))
        api = f"/api/models/{new_name}/revision/"
        resolve = f"/{new_name}/resolve/{COMMIT}/"
        if path.startswith(api):
            if path[len(api):] not in ("main", "refs/pr/1", COMMIT):
                return self.answer(404, X_Error_Code="RevisionNotFound")
            return self.answer(200, json.dumps({"id": new_name, "sha": COMMIT, "siblings": hub.siblings()}).encode())
        if not path.startswith(resolve):
            return self.answer(404, X_Error_Code="RepoNotFound")
        name = path[len(resolve):]
        file = hub.folder / name
        etag = hub.etags.get(name, hash_of(file))
        if file.suffix == ".safetensors":
            location = f"http://127.0.0.1:{hub.storage.server_port}/{name}"
            size = str(file.stat().st_size)
            return self.answer(302, Location=location, X_Linked_Etag=f'"{etag}"', X_Linked_Size=size, ETag='"other"')
        if self.command == "HEAD":
            return self.answer(200, ETag=f'W/"{etag}"', Content_Length=str(file.stat().st_size))
        self.answer(200, file.read_bytes(), ETag=f'"{etag}"')

    def send_file(self, file):
        hub = self.server.hub
        data = file.read_bytes()
        begin = 0
        asked = self.headers.get("Range")
        if asked and hub.ranges:
            begin = int(asked[len("bytes=") : -1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin + hub.range_shift}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        data = data[begin:] + hub.extra
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if hub.cuts:
            data = data[: hub.cuts.pop(0)]
            self.close_connection = True
        self.wfile.write(data)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # of a client that was interrupted
            super().handle_error(request, client_address)


class FakeHub:
    """`folder`: the files of the model `name`. What fails is told by the members."""

    def __init__(self, folder, name="owner/model"):
        self.folder = Path(folder)
        self.names = name, name  # of a model that was renamed, the old and the new name
        self.token = None  # that is needed, and the X-Error-Code where it is not given
        self.refusal = "RepoNotFound"
        self.statuses = []  # of the next answers, with headers
        self.cuts = []  # after how many bytes the next connections break
        self.ranges = True
        self.range_shift = 0
        self.extra = b""  # behind the end of stored files
        self.etags = {}
        self.listed = []  # files that are listed besides those in the folder
        self.requests = []
        self.server = self.start("hub")
        self.storage = self.start("storage")
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def start(self, role):
        server = Server(("127.0.0.1", 0), Handler)
        server.hub, server.role, server.daemon_threads = self, role, True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def stop(self):
        for server in (self.server, self.storage):
            server.shutdown()
            server.server_close()

    def siblings(self):
        files = sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())
        return [{"rfilename": name} for name in files + self.listed]

    def gets(self, role="storage"):
        """The GET requests that reached a server, as pairs of path and headers."""
        return [(path, headers) for which, method, path, headers in self.requests if (which, method) == (role, "GET")]
