"""A real Barbican with its own database, whose tokens a Keystone judges, and secrets that barbicanclient puts there.

usage: barbican_server.py HOME KEYSTONE_URL < {"user": …, "password": …, "project": …, "secrets": {"NAME": {"payload": …, …}, …}}

It listens on a free port of 127.0.0.1 and prints one line of JSON: its address and the reference of each secret. It ends with its input.
"""

import base64
import json
import os
import sys
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

HOME, KEYSTONE = Path(sys.argv[1]).resolve(), sys.argv[2]
ASKED = json.loads(sys.stdin.readline())

PASTE = """
[composite:main]
use = egg:Paste#urlmap
/: versions
/v1: api
[pipeline:versions]
pipeline = microversion versionapp
[pipeline:api]
pipeline = authtoken context microversion apiapp
[app:apiapp]
paste.app_factory = barbican.api.app:create_main_app
[app:versionapp]
paste.app_factory = barbican.api.app:create_version_app
[filter:context]
paste.filter_factory = barbican.api.middleware.context:ContextMiddleware.factory
[filter:microversion]
paste.filter_factory = barbican.api.middleware.microversion:MicroversionMiddleware.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
"""

CONFIGURATION = f"""
[DEFAULT]
db_auto_create = True
log_file = {HOME}/barbican.log
host_href = http://127.0.0.1:1
[database]
connection = sqlite:///{HOME}/barbican.db
[queue]
enable = False
[simple_crypto_plugin]
kek = {base64.urlsafe_b64encode(os.urandom(32)).decode()}
[keystone_authtoken]
www_authenticate_uri = {KEYSTONE}
auth_url = {KEYSTONE}
auth_type = password
username = {ASKED["user"]}
password = {ASKED["password"]}
user_domain_id = default
project_id = {ASKED["project"]}
"""


class Quiet(WSGIRequestHandler):
    def log_message(self, format, *arguments):
        pass


def application():
    (HOME / "paste.ini").write_text(PASTE, encoding="utf-8")
    (HOME / "barbican.conf").write_text(CONFIGURATION, encoding="utf-8")
    # Each part of Barbican reads its configuration by itself, from the folder of whoever it runs as.
    os.environ["HOME"] = str(HOME)
    from paste import deploy

    return deploy.loadapp(f"config:{HOME / 'paste.ini'}")


def put(address):
    """Puts the secrets there as their owner, and gives what Barbican calls them."""
    from barbicanclient import client
    from keystoneauth1 import session
    from keystoneauth1.identity import v3

    login = v3.Password(
        auth_url=KEYSTONE, username=ASKED["user"], password=ASKED["password"], user_domain_id="default", project_id=ASKED["project"]
    )
    barbican = client.Client(session=session.Session(auth=login), endpoint=address)
    references = {}
    for name, secret in ASKED["secrets"].items():
        if "bytes" in secret:
            secret["payload"] = bytes(secret.pop("bytes"))
        stored = barbican.secrets.create(name=name, **secret)
        references[name] = stored.store()
    return references


def main():
    server = make_server("127.0.0.1", 0, application(), handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    print(json.dumps({"address": address, "references": put(address)}), flush=True)
    sys.stdin.read()


main()
