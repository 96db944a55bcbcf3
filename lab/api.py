"""The little of the APIs of Keystone and Neutron that the lab calls."""

import requests

from services import REGION

NETWORK_COLLECTIONS = {
    "ports": "ports",
    "security_groups": "security-groups",
    "security_group_rules": "security-group-rules",
    "floatingips": "floatingips",
    "address_groups": "address-groups",
    "routers": "routers",
    "networks": "networks",
    "subnets": "subnets",
    "rbac_policies": "rbac-policies",
    "trunks": "trunks",
}
IDENTITY_COLLECTIONS = ["domains", "projects", "users", "groups", "roles", "role_assignments"]


class Refused(Exception):
    """The service said no."""

    def __init__(self, method, url, answer):
        super().__init__(f"{method} {url}: {answer.status_code} {answer.text[:300]}")
        self.status = answer.status_code


class Actor:
    """A user with a token for a project."""

    def __init__(self, cloud, name, password, project, domain="default"):
        self.cloud = cloud
        user = {"name": name, "domain": {"id": domain}, "password": password}
        scope = {"project": {"name": project, "domain": {"id": domain}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        url = f"{cloud.keystone}/auth/tokens"
        answer = requests.post(url, json={"auth": {"identity": identity, "scope": scope}}, timeout=120)
        if not answer.ok:
            raise Refused("POST", url, answer)
        self.headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
        token = answer.json()["token"]
        self.project, self.user = token["project"]["id"], token["user"]["id"]

    def call(self, method, url, body=None):
        answer = requests.request(method, url, json=body, headers=self.headers, timeout=120)
        if not answer.ok:
            raise Refused(method, url, answer)
        return answer.json() if answer.content else {}

    def identity(self, method, path, body=None):
        return self.call(method, f"{self.cloud.keystone}/{path}", body)

    def network(self, method, path, body=None):
        return self.call(method, f"{self.cloud.neutron}/v2.0/{path}", body)

    def create(self, kind, path=None, **fields):
        """Creates something of Neutron's and gives it as the API does."""
        return self.network("POST", path or f"{kind.replace('_', '-')}s", {kind: fields})[kind]

    def update(self, kind, identifier, **fields):
        return self.network("PUT", f"{kind.replace('_', '-')}s/{identifier}", {kind: fields})[kind]

    def delete(self, kind, identifier):
        self.network("DELETE", f"{kind.replace('_', '-')}s/{identifier}")


def bootstrap(cloud, admin):
    """The service's project, user and endpoints, with which Neutron asks Keystone about tokens."""
    project = admin.identity("POST", "projects", {"project": {"name": "service", "domain_id": "default"}})["project"]["id"]
    user = {"name": "neutron", "domain_id": "default", "password": cloud.password}
    user = admin.identity("POST", "users", {"user": user})["user"]["id"]
    roles = {role["name"]: role["id"] for role in admin.identity("GET", "roles")["roles"]}
    for role in ("admin", "service"):
        if role in roles:
            admin.identity("PUT", f"projects/{project}/users/{user}/roles/{roles[role]}")
    service = admin.identity("POST", "services", {"service": {"name": "neutron", "type": "network"}})["service"]["id"]
    for interface in ("public", "internal", "admin"):
        endpoint = {"service_id": service, "interface": interface, "region_id": REGION, "url": cloud.neutron}
        admin.identity("POST", "endpoints", {"endpoint": endpoint})
    return roles


def auditor(cloud, admin, roles):
    """The account that docs/openstack.md tells an operator to make: reads all, changes nothing."""
    role = admin.identity("POST", "roles", {"role": {"name": "auditor"}})["role"]["id"]
    project = admin.identity("POST", "projects", {"project": {"name": "monitoring", "domain_id": "default"}})["project"]["id"]
    user = {"name": "osel", "domain_id": "default", "password": cloud.password}
    user = admin.identity("POST", "users", {"user": user})["user"]["id"]
    admin.identity("PUT", f"projects/{project}/users/{user}/roles/{role}")
    admin.identity("PUT", f"system/users/{user}/roles/{roles['reader']}")
    return password(admin, "osel", cloud.password, "monitoring")


def application_credential(actor):
    """A credential of the actor's own for its project, as the variables that openstacksdk and osel read."""
    body = {"application_credential": {"name": "osel"}}
    made = actor.identity("POST", f"users/{actor.user}/application_credentials", body)["application_credential"]
    return {
        "OS_AUTH_TYPE": "v3applicationcredential",
        "OS_AUTH_URL": actor.cloud.keystone,
        "OS_APPLICATION_CREDENTIAL_ID": made["id"],
        "OS_APPLICATION_CREDENTIAL_SECRET": made["secret"],
    }


def password(actor, name, word, project, domain="default"):
    """The same with a password."""
    return {
        "OS_AUTH_URL": actor.cloud.keystone,
        "OS_USERNAME": name,
        "OS_PASSWORD": word,
        "OS_PROJECT_NAME": project,
        "OS_USER_DOMAIN_ID": domain,
        "OS_PROJECT_DOMAIN_ID": domain,
    }


def inventory(admin):
    """All that the APIs say, by collection, as `osel inventory import` reads it."""
    state = {name: admin.network("GET", path)[name] for name, path in NETWORK_COLLECTIONS.items()}
    for floating_ip in state["floatingips"]:
        path = f"floatingips/{floating_ip['id']}/port_forwardings"
        floating_ip["port_forwardings"] = admin.network("GET", path)["port_forwardings"]
    for name in IDENTITY_COLLECTIONS:
        state[name] = admin.identity("GET", name)[name]
    return state
