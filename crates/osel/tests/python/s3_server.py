"""A store that speaks as S3 does: moto's, before which every signature is computed anew by AWS's own library.

usage: s3_server.py BUCKET KEY_ID KEY [TOKEN]

Prints its URL, and ends with its standard input. Paths below `/_/` are for the test: `/_/objects` reads everything back by AWS's own client,
`/_/fail/STATUS/CODE` refuses the next request, `/_/lose` carries the next writing out and says that it failed, `/_/asked` says what was asked.
"""

import base64
import gzip
import hashlib
import io
import json
import sys
import threading
from urllib.parse import parse_qsl, urlsplit

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

BUCKET, KEY_ID, KEY, *TOKEN = sys.argv[1:]
# What moto takes is not looked at by it: this one is for reading back.
CREDENTIALS = Credentials(KEY_ID, KEY, TOKEN[0] if TOKEN else None)
ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{0}</Code><Message>as the test wants: {0}</Message></Error>'


def refusal(status, code):
    return Response(ERROR.format(code), status, content_type="application/xml")


def wrong(request):
    """Why a request is not to be trusted, if so."""
    query = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    signature = query.pop("X-Amz-Signature", None)
    if signature is None:
        return "AccessDenied"
    if query.get("X-Amz-Credential", "").split("/")[0] != KEY_ID:
        return "InvalidAccessKeyId"
    if query.get("X-Amz-Security-Token") != CREDENTIALS.token:
        return "InvalidToken"
    signed = query["X-Amz-SignedHeaders"].split(";")
    if any(name.lower().startswith("x-amz-") and name.lower() not in signed for name in request.headers.keys()):
        return "HeadersNotSigned"
    given = AWSRequest(
        method=request.method,
        url=f"http://{request.host}{request.environ['REQUEST_URI'].split('?')[0]}",
        headers={name: request.headers[name] for name in signed},
        params=query,
    )
    given.context["timestamp"] = query["X-Amz-Date"]
    auth = S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1")
    wanted = auth.signature(auth.string_to_sign(given, auth.canonical_request(given)), given)
    return None if wanted == signature else "SignatureDoesNotMatch"


def lines(name, body):
    return (gzip.decompress(body) if name.endswith(".gz") else body).decode().splitlines()


def rows(body):
    """The rows of a table, in the words of its columns; points in time as texts."""
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(body))
    told = [{name: value.isoformat() if name in ("time", "recorded_at") else value for name, value in row.items()} for row in table.to_pylist()]
    return {"columns": {field.name: str(field.type) for field in table.schema}, "rows": told}


class Store:
    """moto's store, with what the test wants of it."""

    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.failures, self.loses, self.asked = [], 0, []

    def objects(self):
        client = boto3.client(
            "s3", endpoint_url=URL, region_name="us-east-1", aws_access_key_id="reader", aws_secret_access_key="reader"
        )
        told = {}
        for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            got = client.get_object(Bucket=BUCKET, Key=found["Key"], ChecksumMode="ENABLED")
            body = got["Body"].read()
            name = found["Key"]
            told[name] = {
                "lines": rows(body) if name.endswith(".parquet") else lines(name, body),
                "type": got["ContentType"],
                "encoding": got.get("ContentEncoding"),
                "encryption": got.get("ServerSideEncryption"),
                "key": got.get("SSEKMSKeyId"),
                "sum": got.get("ChecksumSHA256") == base64.b64encode(hashlib.sha256(body).digest()).decode(),
            }
        return told

    def controlled(self, words):
        match words:
            case ["objects"]:
                return self.objects()
            case ["fail", status, code]:
                self.failures.append((int(status), code))
            case ["lose"]:
                self.loses += 1
            case ["asked"]:
                asked, self.asked = self.asked, []
                return asked
        return None

    def __call__(self, environ, start):
        request = Request(environ)
        path = environ["PATH_INFO"]
        if path.startswith("/_/"):
            told = self.controlled(path.split("/")[2:])
            return Response(json.dumps(told), content_type="application/json")(environ, start)
        if "reader/" in request.headers.get("Authorization", ""):
            return self.moto(environ, start)
        self.asked.append(f"{request.method} {'list' if 'list-type' in request.args else 'object'}")
        if self.failures:
            return refusal(*self.failures.pop(0))(environ, start)
        if why := wrong(request):
            return refusal(403, why)(environ, start)
        if self.loses and request.method == "PUT":
            self.loses -= 1
            list(self.moto(environ, lambda *_: None))
            return refusal(500, "InternalError")(environ, start)
        return self.moto(environ, start)


store = Store()
server = make_server("127.0.0.1", 0, store, threaded=True)
URL = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()
boto3.client(
    "s3", endpoint_url=URL, region_name="us-east-1", aws_access_key_id="reader", aws_secret_access_key="reader"
).create_bucket(Bucket=BUCKET)
print(URL, flush=True)
sys.stdin.read()
