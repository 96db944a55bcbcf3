"""Reads a whole cloud by openstacksdk, in small pages, and prints it as JSON by collection.

usage: openstack_client.py AUTH_URL FLOATING_IP
"""

import json
import sys

import openstack

# Less than any collection that matters has, so that every list has several pages.
PAGE = 3
ADMIN = dict(
    username="admin",
    password="admin-secret",
    project_name="admin",
    user_domain_name="Default",
    project_domain_name="Default",
)
CREDENTIAL = dict(
    application_credential_id="c0ffee00c0ffee00c0ffee00c0ffee00",
    application_credential_secret="credential-secret",
)
NETWORK = {
    "ports": "ports",
    "security_groups": "security_groups",
    "security_group_rules": "security_group_rules",
    "floatingips": "ips",
    "networks": "networks",
    "subnets": "subnets",
    "routers": "routers",
    "rbac_policies": "rbac_policies",
}
IDENTITY = ["users", "projects", "domains"]


def connect(auth_url, auth_type, auth):
    return openstack.connection.Connection(
        auth_type=auth_type, auth=dict(auth, auth_url=auth_url), region_name="RegionOne", interface="public"
    )


def plain(objects):
    return [one.to_dict(computed=False, original_names=True) for one in objects]


def main(auth_url, floating_ip):
    cloud = connect(auth_url, "password", ADMIN)
    found = {key: plain(getattr(cloud.network, name)(limit=PAGE)) for key, name in NETWORK.items()}
    found.update({key: plain(getattr(cloud.identity, key)(limit=PAGE)) for key in IDENTITY})
    # Roles have no pages, and openstacksdk refuses a list that goes on with what it began with.
    found["roles"] = plain(cloud.identity.roles())
    found["port_forwardings"] = plain(cloud.network.port_forwardings(floating_ip))
    port = found["ports"][0]
    group = port["security_groups"][0] if port["security_groups"] else found["security_groups"][0]["id"]
    address = port["fixed_ips"][0]["ip_address"]
    found["one"] = {
        "port": cloud.network.get_port(port["id"]).id == port["id"],
        "no port": cloud.network.find_port("none") is None,
        "group by name": cloud.network.find_security_group(group).id == group,
        "user by name": cloud.identity.find_user("osel").name == "osel",
        "no user": cloud.identity.find_user("none") is None,
        "project by name": cloud.identity.find_project("monitoring").name == "monitoring",
        "by address": [one.id for one in cloud.network.ports(fixed_ips=f"ip_address={address}")] == [port["id"]],
        "extensions": "security-group" in [one.alias for one in cloud.network.extensions()],
    }
    by_credential = connect(auth_url, "v3applicationcredential", CREDENTIAL)
    found["by_credential"] = [one.id for one in by_credential.network.ports(limit=PAGE)]
    json.dump(found, sys.stdout)


main(*sys.argv[1:])
