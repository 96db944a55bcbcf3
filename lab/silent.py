"""What Neutron changes in silence, and what osel makes of it once it asks the API: the model is what that says, and each difference is told.

Called by lab.py after its story, which the bus alone has to tell.
"""

import json

from services import REGION


def ask_from_now_on(osel):
    """Has osel ask the API, from a restart on, with an account as OpenStack's own clients read it."""
    cloud, file = osel.cloud, osel.home / "clouds.yaml"
    auth = {
        "auth_url": cloud.keystone,
        "username": "admin",
        "password": cloud.password,
        "project_name": "admin",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }
    file.touch(mode=0o600)
    # JSON is YAML.
    file.write_text(json.dumps({"clouds": {"lab": {"region_name": REGION, "auth": auth}}}), encoding="utf-8")
    with open(osel.configuration, "a", encoding="utf-8") as configuration:
        configuration.write("[[openstack]]\ncloud = 'lab'\nclouds_file = 'clouds.yaml'\nrequests_per_second = 100\n")
    read_again(osel)


def read_again(osel):
    """Restarts osel, which reads everything at its start, and waits for that."""
    log = osel.processes.home / "log" / "osel.txt"

    def reads():
        return log.read_text(encoding="utf-8").count("the cloud was read")

    before = reads()
    code = osel.processes.stop(osel.child)
    if code:
        raise RuntimeError(f"osel ended with {code}")
    osel.child = osel.processes.start("osel", [osel.program, "run", "-c", osel.configuration])
    osel.processes.until("osel has read the cloud", lambda: reads() > before)
    osel.await_quiet()


def play(stage, await_quiet):
    """Changes of which the bus says nothing; gives the ids of what differs afterwards, by what was done."""
    one, inside, admin = stage.members[0], stage.networks[0], stage.admin
    addresses = one.create("address_group", name="partners", addresses=["192.0.2.0/28"])["id"]
    group = one.create("security_group", name="partners")["id"]
    rule = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    one.create("security_group_rule", security_group_id=group, remote_address_group_id=addresses, **rule)
    one.create("port", network_id=inside, name="partners", security_groups=[group])
    parent, child = (one.create("port", network_id=inside, name=name)["id"] for name in ("parent", "child"))
    trunk = one.create("trunk", port_id=parent)["id"]
    router = next(router["id"] for router in one.network("GET", "routers")["routers"])
    await_quiet()

    one.network("PUT", f"address-groups/{addresses}/add_addresses", {"addresses": ["198.51.100.0/24"]})
    sub_port = {"port_id": child, "segmentation_type": "vlan", "segmentation_id": 7}
    one.network("PUT", f"trunks/{trunk}/add_subports", {"sub_ports": [sub_port]})
    extra = {"routes": [{"destination": "10.77.0.0/24", "nexthop": "10.1.0.77"}]}
    one.network("PUT", f"routers/{router}/add_extraroutes", {"router": extra})
    # The first resource of a project makes its default group.
    project = admin.identity("POST", "projects", {"project": {"name": "late", "domain_id": "default"}})["project"]["id"]
    admin.create("network", name="late", project_id=project)
    groups = admin.network("GET", f"security-groups?project_id={project}")["security_groups"]
    return {"address group": {addresses}, "default group": {group["id"] for group in groups}}


def check(osel, changed):
    """Says what is wrong with the drift records after these silent changes."""
    drift = [record for record in osel.lines("audit", "search") if record["kind"] == "drift"]
    told = {(record.get("target") or {}).get("id") for record in drift}
    missing = [f"no drift record tells of the {what} {one}" for what, ids in changed.items() for one in sorted(ids - told)]
    unexplained = [record["summary"] for record in drift if "unexplained" in json.dumps(record)]
    print(f"lab: {len(drift)} differences told, {len(unexplained)} of them without an explanation")
    return missing + [f"a difference has no explanation: {summary}" for summary in unexplained]
