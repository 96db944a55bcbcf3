"""Drives a Qualys by qualysapi, the client of others, and prints what it found as JSON.

usage: qualys_client.py HOST:PORT CA_FILE

qualysapi speaks HTTPS alone and takes the host as an argument; whom to trust it is told by its own argument or, in the calls that have
none, by the variable of requests.
"""

import json
import os
import sys

host, ca_file = sys.argv[1:]
os.environ["REQUESTS_CA_BUNDLE"] = ca_file

import qualysapi
import requests
from lxml import objectify

SCAN = "/api/2.0/fo/scan/"


def main():
    found = {}
    wrong = qualysapi.connect(username="osel", password="another word", hostname=host)
    try:
        wrong.request(SCAN, {"action": "list"})
    except requests.HTTPError as error:
        found["denied"] = [error.response.status_code, code(error.response.text)]
    client = qualysapi.connect(username="osel", password="a word", hostname=host)
    found["appliances"] = [[str(one.name), str(one.status)] for one in client.listAppliances()]
    found["groups"] = groups(client)

    # Outside of the subscription, until it is added.
    try:
        client.launchScan("first", "Initial Options", "External", ip="192.0.2.1-192.0.2.2")
    except requests.HTTPError as error:
        found["outside"] = [error.response.status_code, code(error.response.text)]
    client.addIP("192.0.2.1-192.0.2.2", "vm")
    first = client.launchScan("first", "Initial Options", "External", ip="192.0.2.1-192.0.2.2")
    found["launched"] = [first.title, first.status, first.type, first.target, first.user_login]

    # A second one is paused, resumed and cancelled.
    second = client.launchScan("second", "Initial Options", "scanner1", asset_groups="Cloud")
    found["second"] = [second.status, [str(group) for group in second.assetgroups]]
    second = next(scan for scan in client.listScans() if scan.title == "second")
    found["running"] = second.status
    second.pause(client)
    found["paused"] = str(second.status)
    second.resume(client)
    found["resumed"] = str(second.status)
    # It compares the state with texts, and has put an element there itself.
    second.status = str(second.status)
    second.cancel(client)
    found["cancelled"] = str(second.status)

    for _ in range(10):
        states = {scan.title: scan.status for scan in client.listScans(launched_after="2020-01-01")}
        if states["first"] == "Finished":
            break
    found["states"] = states
    found["only"] = [scan.title for scan in client.listScans(state="Canceled")]
    fetch = {"action": "fetch", "scan_ref": first.ref, "output_format": "json_extended", "mode": "extended"}
    rows = json.loads(client.request(SCAN, fetch))
    found["header"] = [rows[1]["status"], rows[1]["reference"] == first.ref]
    found["rows"] = sorted([row["ip"], row["qid"]] for row in rows if "ip" in row)
    fetch["output_format"], fetch["mode"] = "csv", "brief"
    found["csv"] = client.request(SCAN, fetch).splitlines()[0]

    found["hosts"] = sorted(str(one.ip) for one in client.listHosts(limit=10))
    # In parts of one, by the URL of each warning.
    found["in_parts"] = sorted(in_parts(client))
    found["remaining"] = min(client.rate_limit_remaining.values()) > 0
    print(json.dumps(found))


def code(text):
    return int(objectify.fromstring(text.encode()).RESPONSE.CODE)


def groups(client):
    answer = client.request("/api/2.0/fo/asset/group/", {"action": "list"})
    listed = objectify.fromstring(answer.encode()).RESPONSE.ASSET_GROUP_LIST
    return [[int(one.ID), str(one.TITLE), [str(ip) for ip in one.IP_SET.IP]] for one in listed.ASSET_GROUP]


def in_parts(client):
    parameters = {"action": "list", "truncation_limit": "1"}
    while True:
        response = objectify.fromstring(client.request("/api/2.0/fo/asset/host/", parameters).encode()).RESPONSE
        for host in response.HOST_LIST.HOST:
            yield str(host.IP)
        if response.find("WARNING") is None:
            return
        query = requests.utils.urlparse(str(response.WARNING.URL)).query
        parameters = dict(part.split("=", 1) for part in query.split("&"))


main()
