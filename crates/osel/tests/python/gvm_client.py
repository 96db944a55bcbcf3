"""Makes, runs, reads and removes a scan by python-gvm, and prints as JSON what it saw.

usage: gvm_client.py SOCKET ADDRESS...
"""

import json
import sys

from gvm.connections import UnixSocketConnection
from gvm.errors import GvmResponseError
from gvm.protocols.gmp import GMP
from gvm.transforms import EtreeCheckCommandTransform

PASSWORD = "osel-secret"


def refusal(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except GvmResponseError as error:
        return [error.status, error.message]
    return None


def texts(element, path):
    return [one.text for one in element.xpath(path)]


def main(socket, *addresses):
    seen = {"version": None, "statuses": []}
    connection = UnixSocketConnection(path=socket, timeout=30)
    with GMP(connection, transform=EtreeCheckCommandTransform()) as gmp:
        seen["version"] = gmp.get_version().findtext("version")
        seen["stranger"] = refusal(gmp.get_tasks)
        seen["wrong password"] = refusal(gmp.authenticate, "osel", "wrong")
        gmp.authenticate("osel", PASSWORD)
        config = gmp.get_scan_configs(filter_string='name="Full and fast"').xpath("config/@id")[0]
        scanner = gmp.get_scanners(filter_string='name="OpenVAS Default"').xpath("scanner/@id")[0]
        ports = gmp.create_port_list(name="mine", port_range="T:22,T:80-443,U:53").get("id")
        seen["second list"] = refusal(gmp.create_port_list, name="mine", port_range="T:22")
        target = gmp.create_target(
            name="mine", hosts=list(addresses), port_list_id=ports, alive_test="Consider Alive"
        ).get("id")
        seen["second target"] = refusal(gmp.create_target, name="mine", hosts=["192.0.2.9"], port_list_id=ports)
        task = gmp.create_task("mine", config_id=config, target_id=target, scanner_id=scanner).get("id")
        seen["used target"] = refusal(gmp.delete_target, target, ultimate=True)
        seen["used list"] = refusal(gmp.delete_port_list, ports, ultimate=True)
        report = gmp.start_task(task).findtext("report_id")
        seen["second start"] = refusal(gmp.start_task, task)
        while seen["statuses"][-1:] != ["Done"]:
            seen["statuses"].append(gmp.get_task(task).findtext("task/status"))
        named = gmp.get_tasks(filter_string='name="mine"')
        seen["found"] = named.xpath("task/@id") == [task] and gmp.get_tasks(filter_string='name="other"').xpath("task") == []
        seen["last report"] = gmp.get_task(task).xpath("task/last_report/report/@id") == [report]
        whole = gmp.get_report(
            report, filter_string="levels=chmlg min_qod=30 result_hosts_only=0 rows=-1", ignore_pagination=True
        ).find("report/report")
        seen["hosts"] = texts(whole, "host/ip")
        seen["ports"] = [[port.findtext("host"), port.text] for port in whole.xpath("ports/port")]
        seen["results"] = [
            [one.findtext("host"), one.findtext("port"), one.find("nvt").get("oid"), one.findtext("severity")]
            for one in whole.xpath("results/result[severity > 0]")
        ]
        seen["cves"] = whole.xpath("results/result/nvt/refs/ref[@type='cve']/@id")
        paged = gmp.get_results(filter_string=f"report_id={report} levels=chmlg min_qod=30 first=2 rows=1")
        seen["page"] = len(paged.xpath("result"))
        seen["stopped"] = gmp.stop_task(task).get("status")
        for remove, what in [(gmp.delete_task, task), (gmp.delete_target, target), (gmp.delete_port_list, ports)]:
            remove(what, ultimate=True)
        seen["gone"] = refusal(gmp.get_task, task)
    json.dump(seen, sys.stdout)


main(*sys.argv[1:])
