#!/usr/bin/env python3
"""The whole way of an event, on this machine alone: an emulated Caspio account, a host, a plugin.

    python3 scripts/demo.py PATH/TO/caspian

Works in a temporary folder on free ports and removes everything at the end. Every command that it
runs is shown, so that it can be typed by hand. Exit code 0 and a last line `demo: ok …` only when
all that it checks is so.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

BURST = 60          # patients added at once
KILL_AFTER = 15     # runs finished before the host is killed
DEADLINE = 180      # seconds that anything may take

PLUGIN = pathlib.Path(__file__).resolve().parent.parent / "plugins" / "patient-onboarding"


class Deviation(Exception):
    """Something is not as it must be."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def say(text=""):
    print(text, flush=True)


def until(what, ask):
    """Asks until there is an answer; a deviation after the deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        answer = ask()
        if answer is not None:
            return answer
        time.sleep(0.05)
    raise Deviation(f"not within {DEADLINE} s: {what}")


class Demo:
    def __init__(self, binary):
        self.binary = str(pathlib.Path(binary).resolve())
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="caspian-demo-"))
        self.emulator_url = f"http://127.0.0.1:{free_port()}"
        self.host_url = f"http://127.0.0.1:{free_port()}"
        self.processes = []
        self.env = {**os.environ, "CASPIAN_URL": self.host_url}
        self.env.pop("CASPIAN_MASTER_KEY", None)

    # Processes and commands ------------------------------------------------------------------

    def start(self, name, *arguments):
        """Starts a process and waits until it says that it listens."""
        say(f"$ caspian {' '.join(arguments)} &")
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen(
            [self.binary, *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=self.env, cwd=self.folder
        )
        self.processes.append(process)
        for line in process.stdout:
            if "is listening on" in line:
                say(f"  {line.strip()}")
                return process
        raise Deviation(f"{name} does not start; its log:\n{(self.folder / f'{name}.log').read_text()}")

    def caspian(self, *arguments, stdin=None, show=True):
        if show:
            say(f"$ caspian {' '.join(arguments)}")
        done = subprocess.run(
            [self.binary, *arguments], input=stdin, capture_output=True, text=True, env=self.env, cwd=self.folder
        )
        if done.returncode != 0:
            raise Deviation(f"caspian {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        if show:
            for line in done.stdout.splitlines():
                say(f"  {line}" if "token" not in line else "  (the administrator's token)")
        return done.stdout

    def caspian_json(self, *arguments):
        return json.loads(self.caspian(*arguments, "--json", show=False))

    def account(self, method, path, body=None):
        """What a person does in Caspio, through the emulator's administration."""
        request = urllib.request.Request(
            f"{self.emulator_url}/emulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    # The acts --------------------------------------------------------------------------------

    def run(self):
        if not (PLUGIN / "patient_onboarding.wasm").exists():
            raise Deviation("the plugin is not built; run: make guests")
        say("1. A Caspio account (emulated) and a host")
        self.start("emulator", "emulator", "--listen", self.emulator_url.removeprefix("http://"))
        # As in a datasheet import: the account sends faster than the defaults, and keeps trying for longer.
        self.account("PATCH", "settings", {
            "MaxCallThrottling": 500, "ConcurrentCalls": 8, "Attempts": 200, "RetryDelaysMillis": [100, 200, 500],
        })
        self.caspian("init", "--data", "data")
        self.env["CASPIAN_TOKEN"] = (self.folder / "data" / "admin.token").read_text().strip()
        # The emulator has no account to protect: the host need not hold back.
        (self.folder / "caspian.toml").write_text(
            "[caspio]\ncalls_per_second = 500.0\nburst = 500\n[scheduler]\nconcurrency = 8\n"
        )
        host = self.serve()

        say("\n2. A connection, and the plugin deployed: its webhook is made in Caspio")
        self.caspian(
            "connection", "add", "clinic", "--url", self.emulator_url, "--client-id", "demo-client",
            "--client-secret-stdin", stdin="demo-secret\n",
        )
        self.caspian("deploy", str(PLUGIN / "workflow.toml"), "--activate")
        hooks = self.account("GET", "webhooks")
        if len(hooks) != 1 or len(hooks[0]["Events"]) != 1:
            raise Deviation(f"there should be one webhook with one event: {hooks}")

        say("\n3. A person adds a patient in Caspio")
        first = self.account("POST", "rows/Patients", {
            "FirstName": "Ada", "LastName": "O'Hara", "Email": "ada@example.com", "Phone": "+1 555 0100",
        })[0]
        say(f"  Patients: PK_ID {first['PK_ID']} {first['FirstName']} {first['LastName']}")
        run = until("the run of the first patient", self.finished(1))[0]
        self.caspian("run", "list")
        self.caspian("run", "show", run["id"])
        task = self.tasks_of(first["PK_ID"])
        say(f"  Tasks in Caspio: {json.dumps(task)}")
        contact = [c for c in self.account("GET", "rows/Contacts") if c["Email"] == "ada@example.com"]
        say(f"  Contacts in Caspio: {json.dumps(contact)}")
        if len(task) != 1 or len(contact) != 1:
            raise Deviation("the patient should have one task and one contact")

        say(f"\n4. {BURST} patients at once; the host is killed (SIGKILL) in the middle, and started again")
        patients = self.account("POST", "rows/Patients", [
            {"FirstName": f"Burst{n}", "LastName": "Test", "Email": f"burst{n}@example.com"} for n in range(BURST)
        ])
        until("some runs of the burst", lambda: True if self.count("succeeded") > KILL_AFTER else None)
        host.send_signal(signal.SIGKILL)
        host.wait()
        say("  killed")
        self.serve()
        summary = until("all messages delivered", lambda: self.delivered(BURST + 1))
        say(f"  messages delivered by Caspio: {summary['Delivered']}, given up: {summary['Failed']}")
        runs = until("all runs at rest", self.finished(BURST + 1))
        self.check(patients, runs)

        say("\n5. Everything removed: the workflow first, so that nothing stays in Caspio")
        self.caspian("workflow", "deactivate", "patient-onboarding")
        if self.account("GET", "webhooks"):
            raise Deviation("a webhook is left in Caspio")
        say("  webhooks left in Caspio: 0")
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                if process.wait(timeout=60) not in (0, -signal.SIGTERM):
                    raise Deviation(f"a process ended with {process.returncode}")
        actions = sum(1 for r in runs for s in r["steps"] if s["effect"] and s["outcome"] == "ok")
        return f"demo: ok events={len(patients) + 1} runs={len(runs)} actions={actions}"

    def serve(self):
        return self.start(
            "host", "serve", "--data", "data", "--config", "caspian.toml",
            "--listen", self.host_url.removeprefix("http://"), "--public-url", self.host_url,
        )

    def tasks_of(self, patient):
        return [t for t in self.account("GET", "rows/Tasks") if t["PatientId"] == patient]

    def count(self, state):
        return len(self.caspian_json("run", "list", "--state", state, "--limit", "1000"))

    def delivered(self, wanted):
        summary = self.account("GET", "messages/summary")
        return summary if summary["Queued"] == 0 and summary["Delivered"] + summary["Failed"] >= wanted else None

    def finished(self, wanted):
        """All runs in full, once there are so many and none will move by itself any more."""
        def ask():
            runs = self.caspian_json("run", "list", "--limit", "1000")
            if len(runs) < wanted or any(r["state"] in ("queued", "running") for r in runs):
                return None
            return [self.caspian_json("run", "show", r["id"]) for r in runs]
        return ask

    def check(self, patients, runs):
        """Each patient: one run; succeeded with one task and one contact, or parked on exactly an undecided create."""
        if len(runs) != BURST + 1 or len({r["message_id"] for r in runs}) != len(runs):
            raise Deviation(f"{BURST + 1} messages should have one run each, there are {len(runs)} runs")
        tasks, contacts = self.account("GET", "rows/Tasks"), self.account("GET", "rows/Contacts")
        parked = 0
        for patient in patients:
            run = next((r for r in runs if r["pk_id"] == patient["PK_ID"]), None)
            if run is None:
                raise Deviation(f"patient {patient['PK_ID']} has no run: an event was lost")
            made = [
                sum(1 for t in tasks if t["PatientId"] == patient["PK_ID"]),
                sum(1 for c in contacts if c["Email"] == patient["Email"]),
            ]
            if run["state"] == "succeeded":
                if made != [1, 1]:
                    raise Deviation(f"patient {patient['PK_ID']} has {made} tasks and contacts instead of one each")
            elif run["state"] == "parked" and run["cause"] == "undecided":
                parked += 1
                if max(made) > 1:
                    raise Deviation(f"patient {patient['PK_ID']} has {made} tasks and contacts: something was doubled")
                say(f"  run {run['id']} is parked: {run['failure']}")
            else:
                raise Deviation(f"run {run['id']} is {run['state']} ({run['cause']}): {run['failure']}")
        say(f"  {len(patients)} patients: {len(patients) - parked} runs succeeded, one task and one contact each; "
            f"{parked} parked because the kill hit a create in flight; lost 0, doubled 0")

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: demo.py PATH/TO/caspian")
    demo = Demo(sys.argv[1])
    try:
        last = demo.run()
    except (Deviation, OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
        demo.end()
        say(f"\ndemo: FAILED: {error}")
        say(f"logs are kept in {demo.folder}")
        sys.exit(1)
    demo.end()
    shutil.rmtree(demo.folder)
    say(last)


if __name__ == "__main__":
    main()
