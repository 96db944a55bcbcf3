"""A broker, a database, Keystone and Neutron as private processes: below one directory, on loopback ports of their own.

All are children in one process group, which is killed when the lab ends, however it does. Nothing of the machine's own services is
read or touched.
"""

import configparser
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

REGION = "RegionOne"
POLICY = Path(__file__).resolve().parent.parent / "packaging/openstack/neutron-policy.yaml"
START_LIMIT = 180
"""Seconds for a service to answer; two busy cores need half a minute for Neutron."""


def free_port():
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    """Whether an HTTP service is there, whatever it says."""
    try:
        requests.get(url, timeout=5)
        return True
    except requests.RequestException:
        return False


class Processes:
    """Children that end together, with a log each."""

    def __init__(self, home):
        self.home = home
        self.children = []
        (home / "log").mkdir(parents=True, exist_ok=True)

    def start(self, name, command, environment=None):
        with open(self.home / "log" / f"{name}.txt", "ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        self.children.append(child)
        return child

    def run(self, name, command, environment=None):
        child = self.start(name, command, environment)
        code = child.wait()
        self.children.remove(child)
        if code:
            raise RuntimeError(f"`{' '.join(map(str, command))}` failed: see {self.home}/log/{name}.txt")

    def until(self, what, holds):
        """Waits until a condition holds, while all children run."""
        end = time.monotonic() + START_LIMIT
        while not holds():
            for child in self.children:
                if child.poll() is not None:
                    raise RuntimeError(f"`{' '.join(map(str, child.args))}` has ended: see {self.home}/log")
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {START_LIMIT} s")
            time.sleep(0.2)

    def stop(self, child):
        """Asks one to end, and waits."""
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=60)
        self.children.remove(child)
        return child.returncode

    def end(self):
        for child in reversed(self.children):
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()


class Cloud:
    """What osel listens to, and what it is compared with."""

    def __init__(self, home, processes):
        self.home, self.processes = home, processes
        self.environment = Path(sys.executable).parent
        self.password = secrets.token_hex(8)
        self.amqp, self.database, self.keystone_port, self.neutron_port = (free_port() for _ in range(4))
        self.keystone = f"http://127.0.0.1:{self.keystone_port}/v3"
        self.neutron = f"http://127.0.0.1:{self.neutron_port}"
        self.transport_url = f"rabbit://openstack:{self.password}@127.0.0.1:{self.amqp}/"
        self.broker_environment = {}

    def write(self, name, sections):
        """Writes a configuration file."""
        file = configparser.RawConfigParser()
        file.optionxform = str
        file.read_dict(sections)
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            file.write(out)
        return str(path)

    def start_broker(self):
        home = self.home / "broker"
        home.mkdir()
        (home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.amqp}\ndefault_user = openstack\ndefault_pass = {self.password}\n"
            "disk_free_limit.absolute = 1MB\n",
            encoding="utf-8",
        )
        (home / "enabled_plugins").write_text("[].\n", encoding="utf-8")
        (home / "none").write_text("", encoding="utf-8")
        self.broker_environment = {
            "HOME": str(home),
            "RABBITMQ_NODENAME": "lab@localhost",
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
            # With this the script becomes the Erlang machine instead of a shell around it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }
        # In the foreground, so that it ends with the others and is not left behind by the node.
        mapper = ["epmd", "-address", "127.0.0.1", "-port", self.broker_environment["ERL_EPMD_PORT"]]
        self.processes.start("port-mapper", mapper)
        self.processes.start("broker", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], self.broker_environment)

    def await_broker(self):
        def greets():
            try:
                with socket.create_connection(("127.0.0.1", self.amqp), timeout=5) as connection:
                    connection.sendall(b"AMQP\x00\x00\x09\x01")
                    return connection.recv(1) == b"\x01"
            except OSError:
                return False

        self.processes.until("the broker", greets)

    def control_broker(self, *arguments):
        self.processes.run(
            "broker-control", ["/usr/lib/rabbitmq/bin/rabbitmqctl", "--quiet", *arguments], self.broker_environment
        )

    def start_database(self):
        data, self.socket = self.home / "database", self.home / "database.socket"
        user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
        self.processes.run(
            "database-install",
            ["mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--user={user}", "--skip-test-db",
             "--auth-root-authentication-method=normal"],
        )
        self.processes.start(
            "database",
            ["/usr/sbin/mariadbd", "--no-defaults", f"--user={user}", f"--datadir={data}", f"--socket={self.socket}",
             f"--port={self.database}", "--bind-address=127.0.0.1", f"--pid-file={self.home / 'database.pid'}",
             "--innodb-flush-log-at-trx-commit=2", "--max-connections=400"],
        )

    def await_database(self):
        def asks(statement):
            command = ["mariadb", "--no-defaults", "-uroot", f"--socket={self.socket}", "-e", statement]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0

        self.processes.until("the database", lambda: asks("select 1"))
        for name in ("keystone", "neutron"):
            if not asks(f"create database {name} character set utf8mb4"):
                raise RuntimeError(f"the database `{name}` cannot be made")
        if not asks(f"create user 'lab'@'127.0.0.1' identified by '{self.password}'; grant all on *.* to 'lab'@'127.0.0.1'"):
            raise RuntimeError("the database's user cannot be made")

    def database_url(self, name):
        return f"mysql+pymysql://lab:{self.password}@127.0.0.1:{self.database}/{name}"

    def serve(self, name, module, port, configuration):
        """Serves one of the services' own WSGI applications."""
        command = [sys.executable, Path(__file__).with_name("serve.py"), module, str(port)]
        self.processes.start(name, command, configuration)

    def start_keystone(self):
        keys = self.home / "keys"
        file = self.write("keystone.conf", {
            "DEFAULT": {
                "transport_url": self.transport_url,
                "default_publisher_id": "ctl1",
                # Empty: successful logins are told as well.
                "notification_opt_out": "",
            },
            "database": {"connection": self.database_url("keystone")},
            "token": {"provider": "fernet"},
            "fernet_tokens": {"key_repository": keys / "fernet"},
            "credential": {"key_repository": keys / "credential"},
            "oslo_messaging_notifications": {"driver": "messagingv2"},
        })
        manage = [self.environment / "keystone-manage", "--config-file", file]
        user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
        group = subprocess.run(["id", "-gn"], check=True, capture_output=True, text=True).stdout.strip()
        owner = ["--keystone-user", user, "--keystone-group", group]
        keys.mkdir()
        self.processes.run("keystone-manage", [*manage, "db_sync"])
        self.processes.run("keystone-manage", [*manage, "fernet_setup", *owner])
        self.processes.run("keystone-manage", [*manage, "credential_setup", *owner])
        urls = [word for kind in ("internal", "public", "admin") for word in (f"--bootstrap-{kind}-url", self.keystone)]
        self.processes.run(
            "keystone-manage",
            [*manage, "bootstrap", "--bootstrap-password", self.password, "--bootstrap-region-id", REGION, *urls],
        )
        self.serve("keystone", "keystone.wsgi.api", self.keystone_port, {"OS_KEYSTONE_CONFIG_FILES": file})
        self.processes.until("Keystone", lambda: answers(self.keystone))

    def prepare_neutron(self):
        """Writes its configuration and makes its tables, which needs no other service."""
        plugin = self.write("ml2.ini", {
            "ml2": {
                "type_drivers": "flat,vxlan",
                "tenant_network_types": "vxlan",
                "mechanism_drivers": "openvswitch",
                "extension_drivers": "port_security",
            },
            "ml2_type_flat": {"flat_networks": "*"},
            "ml2_type_vxlan": {"vni_ranges": "1:4000"},
        })
        state = self.home / "neutron"
        (state / "lock").mkdir(parents=True)
        file = self.write("neutron.conf", {
            "DEFAULT": {
                "host": "ctl1",
                "transport_url": self.transport_url,
                "auth_strategy": "keystone",
                "core_plugin": "ml2",
                "service_plugins": "router,trunk,port_forwarding",
                "api_paste_config": self.environment.parent / "etc/neutron/api-paste.ini",
                "state_path": state,
                "notify_nova_on_port_status_changes": "false",
                "notify_nova_on_port_data_changes": "false",
            },
            "database": {"connection": self.database_url("neutron")},
            "keystone_authtoken": {
                "www_authenticate_uri": self.keystone,
                "auth_url": self.keystone,
                "auth_type": "password",
                "project_domain_name": "Default",
                "user_domain_name": "Default",
                "project_name": "service",
                "username": "neutron",
                "password": self.password,
            },
            "oslo_concurrency": {"lock_path": state / "lock"},
            "oslo_messaging_notifications": {"driver": "messagingv2"},
            # What an operator is told to give the reader's role, as it is shipped.
            "oslo_policy": {"policy_file": POLICY},
        })
        self.neutron_files = f"{file};{plugin}"
        manage = [self.environment / "neutron-db-manage", "--config-file", file, "--config-file", plugin]
        self.processes.run("neutron-manage", [*manage, "upgrade", "heads"])

    def start_neutron(self):
        self.serve("neutron", "neutron.wsgi.api", self.neutron_port, {"OS_NEUTRON_CONFIG_FILES": self.neutron_files})
        self.processes.until("Neutron", lambda: answers(self.neutron))
