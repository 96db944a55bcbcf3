"""What happens in the lab's cloud: two projects that build, open, close and take down, with calls that fail in between.

Only what the services tell on the bus: what they change in silence (members of address groups, cascades), and forwardings, whose events
do not name the floating IP, are for a model that is checked against the API, which osel does not do yet.
"""

from api import Actor, Refused


class Stage:
    """Two projects with a member each, a network behind a router, and a network outside."""

    def __init__(self, cloud, admin, roles):
        self.admin, self.members, self.networks = admin, [], []
        self.outside = admin.create("network", name="outside", **{
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": "physnet1",
        })["id"]
        admin.create("subnet", network_id=self.outside, cidr="203.0.113.0/24", ip_version=4, enable_dhcp=False)
        for number in (1, 2):
            name = f"project-{number}"
            project = admin.identity("POST", "projects", {"project": {"name": name, "domain_id": "default"}})["project"]
            user = {"name": f"user-{number}", "domain_id": "default", "password": cloud.password}
            user = admin.identity("POST", "users", {"user": user})["user"]
            admin.identity("PUT", f"projects/{project['id']}/users/{user['id']}/roles/{roles['member']}")
            member = Actor(cloud, user["name"], cloud.password, name)
            # The first look makes the project's default group, whose rules nobody is told of.
            member.network("GET", "security-groups")
            self.members.append(member)
            self.networks.append(self.network(member, number))

    def network(self, member, number):
        network = member.create("network", name=f"inside-{number}")["id"]
        subnet = member.create("subnet", network_id=network, cidr=f"10.{number}.0.0/24", ip_version=4)["id"]
        six = {"cidr": f"2001:db8:{number}::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
        member.create("subnet", network_id=network, ip_version=6, **six)
        gateway = {"network_id": self.outside}
        router = member.create("router", name=f"router-{number}", external_gateway_info=gateway)["id"]
        member.network("PUT", f"routers/{router}/add_router_interface", {"subnet_id": subnet})
        return network


def refused(call, *arguments, **fields):
    """A call that the service must refuse."""
    try:
        call(*arguments, **fields)
    except Refused:
        return
    raise AssertionError("a call was accepted that should have been refused")


def play(stage, rounds):
    """Plays the story so many times; what a round leaves behind stays."""
    for number in range(rounds):
        one, two = stage.members if number % 2 == 0 else reversed(stage.members)
        inside = stage.networks[stage.members.index(one)]
        web(stage, one, two, inside, number)
        ports(one, inside)
        identity(stage, number)


def web(stage, one, two, inside, number):
    """A server is put on the internet by an address of its own; then some of it is closed."""
    group = one.create("security_group", name=f"web-{number}")["id"]
    others = one.create("security_group", name=f"back-{number}")["id"]

    def rule(**fields):
        fields = {"security_group_id": group, "direction": "ingress", **fields}
        return one.create("security_group_rule", **fields)["id"]

    https = rule(protocol="tcp", port_range_min=443, port_range_max=443, remote_ip_prefix="0.0.0.0/0")
    rule(protocol="tcp", port_range_min=8000, port_range_max=8100, remote_ip_prefix="198.51.100.0/24")
    rule(protocol="icmp", remote_ip_prefix="0.0.0.0/0")
    rule(ethertype="IPv6", protocol="udp", port_range_min=53, port_range_max=53)
    rule(remote_group_id=others)
    refused(rule, protocol="icmp", remote_ip_prefix="0.0.0.0/0")
    refused(two.delete, "security_group", group)

    server = one.create("port", network_id=inside, name=f"server-{number}", security_groups=[group])["id"]
    one.create("port", network_id=inside, name=f"back-{number}", security_groups=[others])
    address = one.create("floatingip", floating_network_id=stage.outside, port_id=server)["id"]
    one.update("port", server, security_groups=[group, others])
    one.delete("security_group_rule", https)
    if number % 2:
        one.update("floatingip", address, port_id=None)
        one.delete("floatingip", address)
        one.delete("port", server)
        one.delete("security_group", group)


def ports(one, inside):
    """Ports with address pairs, without filters, and in one call."""
    bulk = [{"network_id": inside, "name": f"bulk-{number}"} for number in range(3)]
    bulk = one.network("POST", "ports", {"ports": bulk})["ports"]
    one.update("port", bulk[0]["id"], allowed_address_pairs=[{"ip_address": "10.9.9.0/24"}, {"ip_address": "10.9.8.1"}])
    one.update("port", bulk[1]["id"], security_groups=[], port_security_enabled=False)
    one.update("port", bulk[2]["id"], admin_state_up=False)
    one.delete("port", bulk[2]["id"])


def identity(stage, number):
    """A user comes and goes, and logs in with a wrong password."""
    admin = stage.admin
    user = {"name": f"guest-{number}", "domain_id": "default", "password": "a-first-password"}
    user = admin.identity("POST", "users", {"user": user})["user"]["id"]
    refused(Actor, admin.cloud, f"guest-{number}", "not-the-password", "project-1")
    admin.identity("DELETE", f"users/{user}")
