"""Real Keystone, real Neutron, a real broker and `osel run`: a scenario by their APIs, and the model against what the API says at the end.

Called by `cargo xtask lab`, which installs what it needs. Exit code 0 when the model equals the API's state and the ledger balances.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import api
import scenario
import silent
from services import Cloud, Processes

QUIET = 3
"""Seconds without a new record after which all has arrived: the bus takes milliseconds."""


class Osel:
    """The daemon under test, and its store."""

    def __init__(self, program, cloud, processes, name="osel"):
        self.program, self.cloud, self.processes, self.name = program, cloud, processes, name
        self.home = cloud.home / name
        self.home.mkdir()
        self.store = self.home / "store"
        self.configuration = self.home / "osel.toml"
        self.child = None

    def run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"osel {' '.join(map(str, arguments))}: {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def lines(self, *arguments):
        return [json.loads(line) for line in self.run(*arguments, "--store", self.store, "-o", "json").splitlines()]

    def export(self, name, account):
        """What osel's own client reads by the APIs: the file, and what is in it."""
        file = self.home / f"{name}.json"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
        command = [self.program, "inventory", "export", "--requests-per-second", "100", "--output", file]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**environment, **account})
        if done.returncode:
            raise RuntimeError(f"osel inventory export: {done.returncode}: {done.stderr}")
        print(f"lab: export by {name}: {done.stderr.strip()}")
        return file, json.loads(file.read_text(encoding="utf-8"))

    def start(self, inventory, more=""):
        cloud, password = self.cloud, f"a-password-of-{self.name}"
        cloud.control_broker("add_user", self.name, password)
        cloud.control_broker("set_permissions", self.name, r"^osel\.", r"^osel\.", r"^(osel\..*|keystone|neutron|openstack)$")
        url = self.home / "transport_url"
        url.touch(mode=0o600)
        url.write_text(f"rabbit://{self.name}:{password}@127.0.0.1:{cloud.amqp}/", encoding="utf-8")
        self.configuration.write_text(
            f"[store]\npath = '{self.store}'\n[scan]\nenabled = false\n[http]\nlisten = '127.0.0.1:0'\n"
            f"[[source]]\nname = 'lab'\ntype = 'rabbitmq'\ntransport_url = {{ file = 'transport_url' }}\n"
            f"exchanges = ['keystone', 'neutron']\n{more}",
            encoding="utf-8",
        )
        self.run("inventory", "import", "--store", self.store, inventory)
        self.child = self.processes.start(self.name, [self.program, "run", "-c", self.configuration])
        log = self.processes.home / "log" / f"{self.name}.txt"

        def is_bound():
            said = log.read_text(encoding="utf-8")
            return all(any("exchange bound" in line and name in line for line in said.splitlines()) for name in ("keystone", "neutron"))

        self.processes.until(f"{self.name} is bound to both exchanges", is_bound)

    def start_without_api(self, inventory):
        """One that is to ask an API where nobody listens, for as long as it runs."""
        clouds = {"clouds": {"lab": {"auth": {"auth_url": "http://127.0.0.1:9/v3", "username": "u", "password": "p", "project_name": "p"}}}}
        file = self.home / "clouds.yaml"
        file.touch(mode=0o600)
        # JSON is YAML.
        file.write_text(json.dumps(clouds), encoding="utf-8")
        self.start(inventory, "[[openstack]]\ncloud = 'lab'\nclouds_file = 'clouds.yaml'\n")

    def heard(self):
        """What the bus told, in the order of the messages' own ids: what it was, who did it, what it opened and closed."""
        told = [record for record in self.lines("audit", "export") if record.get("message_id")]
        keys = ("message_id", "kind", "event_type", "outcome", "summary", "exposure", "actor", "target", "conflicting", "detail")
        return sorted(json.dumps({key: record.get(key) for key in keys}, sort_keys=True) for record in told)

    def ledger(self):
        return next(iter(self.lines("ledger")), {"received": 0})

    def await_quiet(self):
        count, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET:
            received = self.ledger()["received"]
            if received != count:
                count, since = received, time.monotonic()
            time.sleep(0.2)


def assignments(entries):
    """Each as who has which role where: an entry has no id of its own."""
    return {json.dumps({key: entry[key] for key in ("role", "user", "group", "scope") if key in entry}, sort_keys=True) for entry in map(plain, entries)}


def plain(value):
    """Without names and links, which one of the two lists has."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key not in ("name", "domain", "links") or key == "domain" and set(inner) == {"id"}}
    return value


def compare(name, exported, state):
    """Whether an export is what the APIs say to whoever asks them plainly: each object, and of each what osel keeps."""
    problems = []
    for collection, objects in state.items():
        if collection == "role_assignments":
            wanted, found = assignments(objects), assignments(exported.get(collection, []))
            if wanted != found or not wanted:
                problems.append(f"export by {name}: {len(found - wanted)} role assignments too many, {len(wanted - found)} missing")
            continue
        wanted = {thing["id"]: thing for thing in objects}
        found = {thing["id"]: thing for thing in exported.get(collection, [])}
        if wanted.keys() != found.keys():
            problems.append(f"export by {name}: {len(found)} {collection} instead of {len(wanted)}")
        for identifier in wanted.keys() & found.keys():
            for key, value in found[identifier].items():
                if wanted[identifier].get(key) != value:
                    problems.append(f"export by {name}: {collection} {identifier}: {key} is {value}")
    forwardings = sum(len(floating_ip["port_forwardings"]) for floating_ip in state["floatingips"])
    if len(exported.get("port_forwardings", [])) != forwardings:
        problems.append(f"export by {name}: not {forwardings} port forwardings")
    if "partial" in exported:
        problems.append(f"export by {name}: {exported['partial']} not whole")
    return problems


def check(osel, judge, state):
    """Compares; says what is different."""
    file = osel.home / "state.json"
    file.write_text(json.dumps(state), encoding="utf-8")
    told = subprocess.run([judge, "judge", "rows", "--state", file], capture_output=True, text=True, check=True).stdout
    wanted = {json.dumps(json.loads(line), sort_keys=True) for line in told.splitlines()}
    found = {json.dumps(row, sort_keys=True) for row in osel.lines("exposure")}
    for row in sorted(wanted - found):
        print(f"lab: missing: {row}")
    for row in sorted(found - wanted):
        print(f"lab: too many: {row}")
    ledger = osel.ledger()
    balance = sum(ledger[key] for key in ("recorded", "duplicate", "ignored", "quarantined"))
    problems = []
    if wanted != found:
        problems.append("the model is not what the API says")
    if not wanted:
        problems.append("there was nothing to compare")
    if ledger["received"] != balance or ledger["quarantined"]:
        problems.append(f"the ledger is not as it should be: {ledger}")
    osel.run("audit", "verify", "--store", osel.store)
    refused = [record for record in osel.lines("audit", "search") if record["outcome"] == "failure"]
    if not refused:
        problems.append("no record tells of a call that failed")
    print(f"lab: {ledger['received']} messages, {len(wanted)} rows as Neutron's API has them, {len(refused)} failures told")
    return problems


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--osel", type=Path, required=True, help="the program")
    arguments.add_argument("--judge", type=Path, required=True, help="osel-sim, which evaluates the API's state independently")
    arguments.add_argument("--home", type=Path, required=True, help="an empty or missing directory for everything")
    arguments.add_argument("--rounds", type=int, default=6, help="how often the story is played")
    arguments = arguments.parse_args()
    shutil.rmtree(arguments.home, ignore_errors=True)
    arguments.home.mkdir(parents=True, mode=0o700)
    processes = Processes(arguments.home)
    begun = time.monotonic()

    def say(text):
        print(f"lab: {time.monotonic() - begun:4.0f} s: {text}", flush=True)

    try:
        cloud = Cloud(arguments.home, processes)
        say(f"starting broker, database, Keystone and Neutron below {arguments.home}")
        cloud.start_broker()
        cloud.start_database()
        cloud.await_database()
        cloud.await_broker()
        say("broker and database are there")
        cloud.start_keystone()
        admin = api.Actor(cloud, "admin", cloud.password, "admin")
        roles = api.bootstrap(cloud, admin)
        say("Keystone is there")
        cloud.prepare_neutron()
        cloud.start_neutron()
        stage = scenario.Stage(cloud, admin, roles)
        say("Neutron is there, with two projects")
        osel = Osel(arguments.osel, cloud, processes)
        by_password = api.password(admin, "admin", cloud.password, "admin")
        reader = api.auditor(cloud, admin, roles)
        file, exported = osel.export("password", by_password)
        problems = compare("password", exported, api.inventory(admin))
        osel.start(file)
        lone = Osel(arguments.osel, cloud, processes, "lone")
        lone.start_without_api(file)
        say(f"osel listens; playing {arguments.rounds} rounds")
        scenario.play(stage, arguments.rounds)
        osel.await_quiet()
        say("played")
        state = api.inventory(admin)
        problems += check(osel, arguments.judge, state)
        lone.await_quiet()
        problems += check(lone, arguments.judge, state)
        heard = osel.heard()
        if not heard or heard != lone.heard():
            problems.append("an osel whose API is away hears something else")
        if not any("trouble began" in line for line in (processes.home / "log" / "lone.txt").read_text(encoding="utf-8").splitlines()):
            problems.append("that an API is away is not said")
        if processes.stop(lone.child):
            problems.append("an osel whose API is away did not end well")
        say(f"{len(heard)} records are the same where the API is away")
        _, exported = osel.export("credential", api.application_credential(admin))
        problems += compare("credential", exported, state)
        # Made before the state was asked for, so that it is in it.
        _, exported = osel.export("auditor", reader)
        problems += compare("auditor", exported, state)
        silent.ask_from_now_on(osel)
        changed = silent.play(stage, osel.await_quiet)
        osel.await_quiet()
        silent.read_again(osel)
        say("what changed in silence is read")
        problems += check(osel, arguments.judge, api.inventory(admin)) + silent.check(osel, changed)
        code = processes.stop(osel.child)
        if code:
            problems.append(f"osel ended with {code}")
    finally:
        processes.end()
    for problem in problems:
        print(f"lab: {problem}: see {arguments.home}")
    say("failed" if problems else "passed")
    sys.exit(1 if problems else 0)


main()
