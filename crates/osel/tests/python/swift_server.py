"""As much of Swift as stores objects and lists them, by its API reference, proved by OpenStack's own client, which reads everything back.

usage: swift_server.py CONTAINER

Prints the address of its account, and ends with its standard input. Paths below `/_/` are for the test: `/_/objects` reads everything back,
`/_/fail/STATUS` refuses the next request, `/_/lose` carries the next writing out and says that it failed, `/_/break` damages the next object
on its way, `/_/asked` says what was asked.
"""

import gzip
import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from swiftclient.client import Connection

ACCOUNT = "/v1/AUTH_p1"
containers = {sys.argv[1]: {}}
failures, asked, flaws = [], [], set()


def read_back():
    client = Connection(preauthurl=URL + ACCOUNT, preauthtoken="reader", retries=0)
    told = {}
    for found in client.get_container(sys.argv[1], full_listing=True)[1]:
        headers, body = client.get_object(sys.argv[1], found["name"])
        told[found["name"]] = {
            "lines": gzip.decompress(body).decode().splitlines(),
            "type": headers["content-type"],
            "sum": headers["etag"] == hashlib.md5(body).hexdigest(),
            "kept_days": round((int(headers["x-delete-at"]) - time.time()) / 86_400) if "x-delete-at" in headers else None,
        }
    return told


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def place(self):
        """Container and object, after what may stand in the way."""
        url = urlsplit(self.path)
        if self.headers["X-Auth-Token"] != "reader":
            asked.append(f"{self.command} {'object' if self.command == 'PUT' else 'list'}")
            if failures:
                return self.answer(failures.pop(0), b"<html>as the test wants</html>", Retry_After="7")
        if not self.headers["X-Auth-Token"]:
            return self.answer(401)
        account, container, *name = [unquote(part) for part in url.path[len("/v1/") :].split("/", 2)]
        if container not in containers:
            return self.answer(404, b"<html><h1>Not Found</h1><p>The resource could not be found.</p></html>")
        return containers[container], (name or [""])[0], parse_qs(url.query)

    def do_GET(self):
        if self.path.startswith("/_/"):
            told = None
            match self.path.split("/")[2:]:
                case ["objects"]:
                    told = read_back()
                case ["fail", status]:
                    failures.append(int(status))
                case ["lose" | "break" as flaw]:
                    flaws.add(flaw)
                case ["asked"]:
                    told, asked[:] = list(asked), []
            return self.answer(200, json.dumps(told).encode(), Connection="close")
        if not (place := self.place()):
            return
        objects, name, query = place
        if name:
            body, headers = objects[name]
            return self.answer(200, body, **headers)
        prefix, marker = query.get("prefix", [""])[0], query.get("marker", [""])[0]
        names = [known for known in sorted(objects) if known.startswith(prefix) and known > marker]
        limit = int(query.get("limit", ["10000"])[0])
        listing = [{"name": known, "bytes": len(objects[known][0])} for known in names[:limit]]
        self.answer(200, json.dumps(listing).encode(), Content_Type="application/json; charset=utf-8")

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not (place := self.place()):
            return
        objects, name, _ = place
        if "break" in flaws:
            flaws.discard("break")
            body = body[:-1] + b"!"
        etag = hashlib.md5(body).hexdigest()
        if self.headers["ETag"] not in (None, etag):
            return self.answer(422, b"<html><h1>Unprocessable Entity</h1></html>")
        headers = {"Content_Type": self.headers["Content-Type"], "ETag": etag}
        if after := self.headers["X-Delete-After"]:
            headers["X_Delete_At"] = str(int(time.time()) + int(after))
        objects[name] = body, headers
        if "lose" in flaws:
            flaws.discard("lose")
            return self.answer(500)
        self.answer(201, ETag=etag)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
URL = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()
print(URL + ACCOUNT, flush=True)
sys.stdin.read()
