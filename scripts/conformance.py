#!/usr/bin/env python3
"""Drives the emulator from Caspio's contract with Schemathesis; every response is checked.

    python3 scripts/conformance.py PATH/TO/caspian PATH/TO/st FOLDER

`tests/conformance/contract.json` is the contract (paths, names, types, statuses), `overlay.json` what it
leaves out or contradicts, each with its source, and `values.json` what is sent, so that calls arrive. They
are joined into FOLDER/openapi.json. Passes: calls of all kinds, files that are too large, the rate limit in
its two forms, a profile that may touch nothing, and a server that fails. Exit code 0 and a last line
`conformance: ok …` only when no response deviates, every operation has succeeded at least once, and every
status of the overlay was seen. A last pass answers wrongly on purpose: it must be found.
"""

import copy
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARTS = ROOT / "tests" / "conformance"
sys.dont_write_bytecode = True
sys.path.insert(0, str(PARTS))

from account import Account  # noqa: E402

SEED = 20260629           # of what is generated, and of the emulator's ids
EXAMPLES = 25             # generated calls an operation, beside those of the other phases
DEADLINE = 60             # seconds until the emulator must answer
METHODS = ("get", "post", "put", "delete")
# The first four are about every answer; those after them about what is sent.
CHECKS = [
    "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "not_a_server_error", "negative_data_rejection", "unsupported_method", "ignored_auth",
]


class Deviation(Exception):
    """Something is not as it must be."""


def say(text=""):
    print(text, flush=True)


def load(name):
    return json.loads((PARTS / name).read_text())


def operations(contract):
    for path, methods in contract["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


def bodies(contract):
    """Names of operations with a body, and its content type."""
    for _, _, operation in operations(contract):
        for media in operation.get("requestBody", {}).get("content", {}):
            yield operation["operationId"], media


def meant(rule, operation):
    """Whether a rule of the overlay is about an operation."""
    names = rule.get("operations", "*")
    if names == "bodies":
        return "requestBody" in operation
    return names == "*" or operation["operationId"] in names


def at(document, pointer):
    """Parent and last name of a JSON pointer; what it names must exist."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in way:
        document = document[part]
    if last not in document:
        raise Deviation(f"the overlay changes {pointer}, which the contract does not have")
    return document, last


def join(contract, overlay):
    """The contract with the overlay laid over it."""
    joined = copy.deepcopy(contract)
    for change in overlay["changes"]:
        for pointer in change["at"]:
            parent, last = at(joined, pointer)
            parent[last] = copy.deepcopy(change["value"])
    joined["components"]["schemas"]["Error"] = overlay["error"]["schema"]
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    header = {overlay["request_id"]["header"]: {"required": True, "schema": {"type": "string", "minLength": 1}}}
    for _, _, operation in operations(joined):
        responses = operation["responses"]
        for rule in overlay["statuses"]:
            if meant(rule, operation):
                for status in rule["statuses"]:
                    responses.setdefault(status, {"description": ""})
        for status, response in responses.items():
            response["headers"] = header
            if status >= "400":
                response["content"] = copy.deepcopy(error)
        limit = responses["400"]["content"]["application/json"]
        limit["schema"] = {"oneOf": [limit["schema"], overlay["rate_limit_array"]["schema"]]}
    return joined


def fill(joined, values):
    """Lets generation choose what the sample account knows, beside anything of the type."""
    for _, _, operation in operations(joined):
        own = values["operations"].get(operation["operationId"], {})
        known = {**values["parameters"], **own.get("parameters", {})}
        for parameter in operation.get("parameters", []):
            chosen = known.get(parameter["name"])
            if parameter["in"] == "path":
                # Any text would lead nowhere nearly always: what is there, and one name that is not.
                parameter["schema"] = {"enum": [*known[parameter["name"]], values["unknown"]]}
            elif chosen is None:
                continue
            else:
                parameter["schema"] = {"anyOf": [{"enum": chosen}, parameter["schema"]]}
            parameter["examples"] = {f"e{n}": {"value": value} for n, value in enumerate(chosen)}
        for media in operation.get("requestBody", {}).get("content", {}).values():
            if "bodies" in own:
                media["schema"] = {"anyOf": [{"enum": own["bodies"]}, media["schema"]]}
                media["examples"] = {f"e{n}": {"value": value} for n, value in enumerate(own["bodies"])}


def named(value, ids):
    """The values with the account's own ids in place of `the-webhook` and so on."""
    if isinstance(value, dict):
        return {name: named(inner, ids) for name, inner in value.items()}
    if isinstance(value, list):
        return [named(inner, ids) for inner in value]
    return ids.get(value, value) if isinstance(value, str) else value


class Emulator(Account):
    """The binary under test, with the clinic as its account."""

    def __init__(self, binary, log):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{s.getsockname()[1]}"
        super().__init__(f"http://{address}")
        command = [str(binary), "emulator", "--seed", "clinic", "--listen", address]
        self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def ready(self):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Deviation("the emulator has ended; see its log")
            try:
                return self.call("GET", "/emulator/health")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        raise Deviation(f"the emulator does not answer within {DEADLINE} s")

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def schemathesis(tool, folder, emulator, name, options, wrong=False):
    """One pass; gives what the hooks counted. With `wrong`, deviations must be found."""
    say(f"conformance: {name}")
    counts = folder / f"{name}.json"
    counts.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": os.pathsep.join([str(PARTS), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CONFORMANCE_EMULATOR": emulator.url,
        "CONFORMANCE_TOKEN": emulator.token,
        "CONFORMANCE_COUNTS": str(counts),
        "NO_PROXY": "127.0.0.1",
    }
    command = [
        str(tool), "run", str(folder / "openapi.json"), "--url", f"{emulator.url}/integrations/rest",
        "--header", f"Authorization:Bearer {emulator.token}", "--workers", "1", "--seed", str(SEED),
        "--generation-database", "none", "--continue-on-failure",
        "--request-timeout", "60", "--warnings", "off", "--no-color", "--report", "ndjson",
        "--report-ndjson-path", str(folder / f"{name}.ndjson"), "--suppress-health-check", "all", *options,
    ]
    log = folder / f"{name}.log"
    with log.open("w") as out:
        code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=folder).returncode
    if wrong and code == 1 and "Response violates schema" in log.read_text():
        return None
    if wrong or code != 0 or not counts.exists():
        say("\n".join(log.read_text().splitlines()[-200:]))
        found = "did not find what is wrong" if wrong else "found deviations or did not run"
        raise Deviation(f"{name}: Schemathesis {found} (exit code {code}); all of it is in {log}")
    counted = json.loads(counts.read_text())
    counted["checks"] = 0
    with (folder / f"{name}.ndjson").open() as events:
        for event in map(json.loads, events):
            recorded = event.get("ScenarioFinished", {}).get("recorder", {}).get("checks", {})
            counted["checks"] += sum(len(checks) for checks in recorded.values())
    return counted


def judge(joined, overlay, passes):
    """Every operation has succeeded, every status of the overlay was seen; gives the numbers."""
    seen = {}
    for counted in passes:
        for name, statuses in counted["statuses"].items():
            for status, count in statuses.items():
                seen.setdefault(name, {})[status] = seen.get(name, {}).get(status, 0) + count
    known = {operation["operationId"]: operation for _, _, operation in operations(joined)}
    faults = [f"{name} has never succeeded" for name in known if not any(s < "300" for s in seen.get(name, {}))]
    for name, operation in known.items():
        if "403" in operation["responses"] and "403" not in seen.get(name, {}):
            faults.append(f"{name} was never forbidden")
    for rule in overlay["statuses"]:
        for status in rule["statuses"]:
            if not any(status in seen.get(name, {}) for name in known if meant(rule, known[name])):
                faults.append(f"status {status} of the overlay was never seen")
    if faults:
        raise Deviation("; ".join(faults))
    return len(known), sum(counted["checks"] for counted in passes)


def run(tool, folder, emulator, joined):
    """All passes; gives what was counted."""
    def go(name, *options):
        return schemathesis(tool, folder, emulator, name, options)

    def fail(**action):
        emulator.call("DELETE", "/emulator/faults")
        emulator.call("POST", "/emulator/faults", {"Action": {"Kind": "status", **action}})

    phases = "examples,coverage,fuzzing"
    passes = [go("calls", "--phases", phases, "--max-examples", str(EXAMPLES), "--checks", ",".join(CHECKS))]
    answers = ("--mode", "positive", "--checks", ",".join(CHECKS[:4]))
    short = ("--phases", "fuzzing", "--max-examples", "1", *answers)

    emulator.settings(MaxFileBytes=0)
    uploads = [name for name, media in bodies(joined) if media == "multipart/form-data"]
    includes = [part for name in uploads for part in ("--include-operation-id", name)]
    passes.append(go("large-files", "--phases", "examples", *answers, *includes))

    for form in ("Status429", "Array400"):
        emulator.settings(RateLimit={"Calls": 0, "WindowMillis": 1000, "Form": form, "RetryAfterSeconds": 1})
        passes.append(go(f"limit-{form.lower()}", *short))
    emulator.settings(RateLimit=None)

    emulator.grant("narrow")
    passes.append(go("forbidden", *short))
    emulator.grant()

    for status in (500, 503):
        fail(Status=status)
        passes.append(go(f"failure-{status}", *short))
    fail(Status=200, Json={"Result": 7})
    schemathesis(tool, folder, emulator, "wrong", (*short, "--include-operation-id", "ListTables"), wrong=True)
    return passes


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    binary, tool, folder = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    contract, overlay, values = load("contract.json"), load("overlay.json"), load("values.json")
    emulator = None
    try:
        joined = join(contract, overlay)
        with (folder / "emulator.log").open("w") as log:
            emulator = Emulator(binary, log)
        emulator.ready()
        emulator.grant()
        emulator.settings(RandomSeed=SEED, MaxUrls=3, RateLimit=None)
        filled = copy.deepcopy(joined)
        fill(filled, named(values, emulator.prepare()))
        (folder / "openapi.json").write_text(json.dumps(filled, indent=1))
        count, checks = judge(joined, overlay, run(tool, folder, emulator, joined))
    except Deviation as deviation:
        say(f"conformance: {deviation}")
        sys.exit(1)
    finally:
        if emulator is not None:
            emulator.end()
    say(f"conformance: ok operations={count} checks={checks}")


if __name__ == "__main__":
    main()
