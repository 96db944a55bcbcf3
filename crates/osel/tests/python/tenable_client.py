"""One scan from its making to its deletion by pyTenable, and others that are halted and stopped; prints what was told as JSON.

usage: tenable_client.py PRODUCT URL < {"access_key": …, "secret_key": …, "username": …, "password": …}
"""

import io
import json
import sys
import warnings

from defusedxml import ElementTree
from tenable.errors import APIError
from tenable.io import TenableIO
from tenable.nessus import Nessus

NAME = "by pyTenable"
TARGETS = ["192.0.2.1", "2001:db8::1", "192.0.2.9"]
# A state comes in a few questions, or never.
QUESTIONS_MAX = 20


def until_over(ask):
    told = []
    while len(told) < QUESTIONS_MAX and (not told or told[-1] not in ("completed", "canceled")):
        told.append(ask())
    return told


def found(report):
    hosts = {}
    for host in ElementTree.fromstring(report.read()).iter("ReportHost"):
        items = []
        for item in host.iter("ReportItem"):
            cves = [cve.text for cve in item.iter("cve")]
            score = item.findtext("cvss3_base_score")
            port, plugin = int(item.get("port")), int(item.get("pluginID"))
            items.append([item.get("protocol"), port, plugin, item.get("svc_name"), score, cves])
        hosts[host.get("name")] = items
    return hosts


def refused(what):
    try:
        what()
    except APIError as error:
        return error.response.status_code
    return None


def local(url, who):
    told = {}
    with Nessus(url=url, username=who["username"], password=who["password"]) as nessus:
        told["session"] = nessus.session.get()["username"]
    nessus = Nessus(url=url, access_key=who["access_key"], secret_key=who["secret_key"])
    told["server"] = [nessus.server.status()["status"], nessus.server.properties()["nessus_type"]]
    templates = {template["name"]: template["uuid"] for template in nessus.editor.template_list("scan")}
    told["policies"] = [policy["name"] for policy in nessus.policies.list()]
    told["folders"] = [folder["name"] for folder in nessus.folders.list()]
    told["scanners"] = [scanner["name"] for scanner in nessus.scanners.list()]
    told["empty"] = nessus.scans.list()["scans"]
    settings = {"name": NAME, "enabled": False, "text_targets": ",".join(TARGETS)}
    scan = nessus.scans.create(uuid=templates["basic"], settings=settings)["scan"]["id"]
    told["made"] = [[one["name"], one["status"]] for one in nessus.scans.list()["scans"]]
    told["launched"] = len(nessus.scans.launch(scan)) > 30
    told["twice"] = refused(lambda: nessus.scans.launch(scan))
    status = lambda: nessus.scans.details(scan)["info"]["status"]
    told["states"] = until_over(status)
    details = nessus.scans.details(scan)
    told["history"] = [[run["history_id"], run["status"]] for run in details["history"]]
    told["hosts"] = [host["hostname"] for host in details["hosts"]]
    told["report"] = found(nessus.scans.export_scan(scan, format="nessus"))
    nessus.scans.launch(scan)
    nessus.scans.pause(scan)
    told["paused"] = status()
    nessus.scans.resume(scan)
    nessus.scans.stop(scan)
    told["stopped"] = until_over(status)
    nessus.scans.launch(scan)
    nessus.scans.kill(scan)
    told["killed"] = status()
    nessus.scans.delete_history(scan, 1)
    nessus.scans.delete(scan)
    told["gone"] = refused(status)
    return told


def cloud(url, who):
    told = {}
    tio = TenableIO(who["access_key"], who["secret_key"], url=url)
    told["session"] = tio.session.details()["username"]
    scan = tio.scans.create(name=NAME, template="basic", scanner="dmz-1", targets=TARGETS)["id"]
    told["made"] = [[one["name"], one["status"]] for one in tio.scans.list()]
    told["launched"] = len(tio.scans.launch(scan)) > 30
    told["states"] = until_over(lambda: tio.scans.status(scan))
    results = tio.scans.results(scan)
    told["history"] = [[run["history_id"], run["status"]] for run in results["history"]]
    told["hosts"] = [host["hostname"] for host in results["hosts"]]
    told["report"] = found(tio.scans.export(scan, fobj=io.BytesIO()))
    tio.scans.launch(scan)
    tio.scans.pause(scan)
    told["paused"] = tio.scans.status(scan)
    tio.scans.resume(scan)
    tio.scans.stop(scan)
    told["stopped"] = until_over(lambda: tio.scans.status(scan))
    tio.scans.delete(scan)
    told["gone"] = refused(lambda: tio.scans.status(scan))
    return told


warnings.simplefilter("ignore")
product, url = sys.argv[1:]
print(json.dumps({"nessus": local, "cloud": cloud}[product](url, json.load(sys.stdin))))
