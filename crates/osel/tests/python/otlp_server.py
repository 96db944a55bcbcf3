"""A receiver of logs that reads requests by OpenTelemetry's own messages.

usage: otlp_server.py

Prints its URL, and ends with its standard input. Paths below `/_/` are for the test: `/_/got` says what was sent, `/_/refuse/SEQ` has the record
of that number not taken from then on, `/_/fail/STATUS` refuses the next request with a status in protobuf.
"""

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

PROTOBUF = "application/x-protobuf"
got, refused, failures = [], set(), []


def value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def attributes(pairs):
    return {pair.key: value(pair.value) for pair in pairs}


def status(message):
    """google.rpc.Status, whose message is its field 2."""
    text = message.encode()
    return bytes([0x08, 0x03, 0x12, len(text)]) + text


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, content_type, body, **headers):
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        told = None
        match self.path.split("/")[2:]:
            case ["got"]:
                told, got[:] = list(got), []
            case ["refuse", seq]:
                refused.add(int(seq))
            case ["fail", code]:
                failures.append(int(code))
        self.answer(200, "application/json", json.dumps(told).encode(), Connection="close")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if failures:
            return self.answer(failures.pop(0), PROTOBUF, status("not now, hunter2"), Retry_After="7")
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        request = ExportLogsServiceRequest.FromString(body)
        again = ExportLogsServiceRequest()
        again.CopyFrom(request)
        again.DiscardUnknownFields()
        assert again == request and again.SerializeToString() == request.SerializeToString(), "fields that nobody knows"
        [logs] = request.resource_logs
        [scope] = logs.scope_logs
        records = [(record, attributes(record.attributes)) for record in scope.log_records]
        bad = [told["osel.seq"] for _, told in records if told["osel.seq"] in refused]
        got.append(
            {
                "path": self.path,
                "type": self.headers["Content-Type"],
                "packed": self.headers["Content-Encoding"] == "gzip",
                "authorization": self.headers["Authorization"],
                "resource": attributes(logs.resource.attributes),
                "scope": scope.scope.name,
                "records": [
                    {
                        "time": record.time_unix_nano,
                        "observed": record.observed_time_unix_nano,
                        "severity": [record.severity_number, record.severity_text],
                        "event": record.event_name,
                        "body": value(record.body),
                        "attributes": told,
                    }
                    for record, told in records
                    if told["osel.seq"] not in bad
                ],
            }
        )
        response = ExportLogsServiceResponse()
        if bad:
            response.partial_success.rejected_log_records = len(bad)
            response.partial_success.error_message = "too old"
        self.answer(200, PROTOBUF, response.SerializeToString())


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
