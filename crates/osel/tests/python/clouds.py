"""What openstacksdk makes of accounts: one JSON line for each line of standard input, a table with cloud and region.

The files and variables are those of this process.
"""

import json
import sys
import warnings

from openstack import config

KEYS = [
    "auth_url",
    "username",
    "user_id",
    "password",
    "user_domain_id",
    "user_domain_name",
    "project_id",
    "project_name",
    "project_domain_id",
    "project_domain_name",
    "domain_id",
    "domain_name",
    "system_scope",
    "trust_id",
    "token",
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
]


def found(wanted):
    region = config.OpenStackConfig().get_one(cloud=wanted.get("cloud"), region_name=wanted.get("region") or "")
    verify, certificate = region.get_requests_verify_args()
    auth = {key: region.config["auth"].get(key) for key in KEYS}
    return {
        "auth": {key: value for key, value in auth.items() if value},
        "region": region.config.get("region_name") or None,
        "interface": region.config.get("interface"),
        "verify": bool(verify),
        "ca": verify if isinstance(verify, str) else None,
        "certificate": list(certificate) if isinstance(certificate, tuple) else certificate,
        "network": region.config.get("network_endpoint_override"),
    }


warnings.simplefilter("ignore")
for line in sys.stdin:
    try:
        print(json.dumps(found(json.loads(line))))
    except Exception as error:  # Whatever it is: the other side must refuse it too.
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
