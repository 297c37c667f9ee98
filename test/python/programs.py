"""The built programs as child processes."""

import atexit
import concurrent.futures
import functools
import itertools
import json
import os
import pathlib
import queue
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = 60  # seconds that anything may take
SECRET = "a secret of the tests that is long enough"
NO_LIMITS = {"ROLECALL_HANDSHAKES_PER_IP": "off", "ROLECALL_PRESENCE_GRACE": "0"} | {
    f"ROLECALL_RATE_{kind}": "100000/1s:100000" for kind in ("CHAT", "JOIN", "LOCATION", "BACKLOG", "READ", "OTHER", "CONNECT", "FAILURE", "SHED")}


# Where TEST_NODES is 3 the product is three processes behind a proxy, with what the program of test/servers/deployments gives them.
DEPLOYMENTS = os.environ.get("TEST_DEPLOYMENTS") if os.environ.get("TEST_NODES") == "3" else None


@functools.cache
def build(package):
    """The binary of a package."""
    binary = str(REPOSITORY / "bin" / pathlib.PurePath(package).name)
    subprocess.run(["go", "build", "-o", binary, package], cwd=REPOSITORY, check=True)
    return binary


class Program:
    """A program that says on its standard error, in lines of JSON, where it serves."""

    def __init__(self, package, environment):
        self.url = None
        self.log = []
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ROLECALL_")}
        self.environment |= environment
        self.binary = build(package)

    def start(self, *arguments):
        """Starts the process: on any free port at first, on the same one afterwards."""
        address = self.url.removeprefix("http://") if self.url else "127.0.0.1:0"
        self._process = subprocess.Popen(
            [self.binary, "-addr", address, *arguments], env=self.environment, stderr=subprocess.PIPE, text=True)
        atexit.register(self._process.kill)
        serving = queue.Queue()
        self._reader = threading.Thread(target=self._read_log, args=(self._process.stderr, serving), daemon=True)
        self._reader.start()
        try:
            self.url = serving.get(timeout=DEADLINE)
        except queue.Empty:
            self._process.kill()
            raise AssertionError(f"{self.binary} does not serve: {self.log[-5:]}") from None

    def _read_log(self, lines, serving):
        with lines:
            for line in lines:
                try:
                    entry = dict(json.loads(line))
                except (TypeError, ValueError):
                    entry = {"level": "ERROR", "msg": line}  # a panic
                self.log.append(entry)
                if entry.get("msg") == "serving":
                    serving.put(entry.get("url"))

    def stop(self):
        """Ends the process as an operator would, and holds it to a clean end."""
        self._process.terminate()
        try:
            status = self._process.wait(DEADLINE)
        finally:
            self._process.kill()
            atexit.unregister(self._process.kill)
            self._reader.join(DEADLINE)
        complaints = [entry for entry in self.log if entry.get("level") == "ERROR"]
        if status != 0 or complaints:
            raise AssertionError(f"{self.binary} ended with {status}: {complaints[:5]}")


class Echo(Program):
    """The realtime layer alone, with events that answer what came."""

    def __init__(self):
        super().__init__("./test/node/echoserver", {})
        self.start()


class Node(Program):
    """A process of the product with a data folder of its own."""

    def __init__(self, settings):
        super().__init__("./cmd/server", {"ROLECALL_JWT_SECRET": SECRET, **NO_LIMITS, **settings})
        self._data = tempfile.TemporaryDirectory(prefix="rolecall-python-")

    def start(self):
        super().start("-data-dir", self._data.name, "-log-format", "json")

    def discard(self):
        self._data.cleanup()


class Deployment:
    """A database, a prefix in Redis, and a proxy."""

    def __init__(self):
        begun = self._ask("POST", "")
        self._id = begun["id"]
        self.settings = [begun["settings"] | {"ROLECALL_NODE_NAME": name} for name in begun["names"]]

    @staticmethod
    def _ask(method, route, body=None):
        request = urllib.request.Request(f"{DEPLOYMENTS}/{route}", method=method, data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=4 * DEADLINE) as response:  # the first of all starts PostgreSQL
            return json.load(response)

    def proxy(self, urls):
        """Has a proxy lead to the nodes, and returns its address."""
        return self._ask("POST", f"{self._id}/proxy", [url.removeprefix("http://") for url in urls])["url"]

    def end(self):
        self._ask("DELETE", self._id)


def lead(url):
    """Waits until a proxy leads to a node."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=DEADLINE):
                return
        except urllib.error.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Rolecall:
    """The product: a process, or three behind a proxy."""

    def __init__(self):
        self._deployment = Deployment() if DEPLOYMENTS else None
        self._nodes = [Node(settings) for settings in (self._deployment.settings if self._deployment else [{}])]
        self._people = itertools.count(1)
        self._each(Node.start)
        self.url = self._deployment.proxy([node.url for node in self._nodes]) if self._deployment else self._nodes[0].url
        lead(self.url)

    def _each(self, what):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(what, self._nodes))

    def restart(self):
        self._each(Program.stop)
        self._each(Node.start)
        lead(self.url)

    def stop(self):
        try:
            self._each(Program.stop)
        finally:
            self._each(Node.discard)
            if self._deployment:
                self._deployment.end()

    def person(self, role, company=None):
        """Somebody nobody has met: { id, token }."""
        user = f"{role}-{next(self._people)}"
        node = self._nodes[0]
        mint = [node.binary, "token", "-user", user, "-role", role, *(["-company", company] if company else [])]
        token = subprocess.run(mint, env=node.environment, check=True, capture_output=True, text=True).stdout.strip()
        return {"id": user, "token": token}

    def rest(self, who, method, path, body=None):
        """Calls the REST interface and returns the decoded answer."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {who['token']}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            return json.load(response)
