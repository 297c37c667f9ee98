"""The built programs as child processes."""

import atexit
import itertools
import json
import os
import pathlib
import queue
import subprocess
import tempfile
import threading
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = 15  # seconds that anything may take
SECRET = "a secret of the tests that is long enough"
NO_LIMITS = {"ROLECALL_HANDSHAKES_PER_IP": "off"} | {
    f"ROLECALL_RATE_{kind}": "100000/1s:100000" for kind in ("CHAT", "JOIN", "LOCATION", "BACKLOG", "READ", "OTHER", "CONNECT", "FAILURE", "SHED")}


class Program:
    """A program that says on its standard error, in lines of JSON, where it serves."""

    def __init__(self, package, environment):
        self.url = None
        self.log = []
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ROLECALL_")}
        self.environment |= environment
        self.binary = str(REPOSITORY / "bin" / pathlib.PurePath(package).name)
        subprocess.run(["go", "build", "-o", self.binary, package], cwd=REPOSITORY, check=True)

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


class Rolecall(Program):
    """The product with a data folder of its own."""

    def __init__(self):
        super().__init__("./cmd/server", {"ROLECALL_JWT_SECRET": SECRET, **NO_LIMITS})
        self._data = tempfile.TemporaryDirectory(prefix="rolecall-python-")
        self._people = itertools.count(1)
        self._start()

    def _start(self):
        self.start("-data-dir", self._data.name, "-log-format", "json")

    def restart(self):
        super().stop()
        self._start()

    def stop(self):
        try:
            super().stop()
        finally:
            self._data.cleanup()

    def person(self, role, company=None):
        """Somebody nobody has met: { id, token }."""
        user = f"{role}-{next(self._people)}"
        mint = [self.binary, "token", "-user", user, "-role", role, *(["-company", company] if company else [])]
        token = subprocess.run(mint, env=self.environment, check=True, capture_output=True, text=True).stdout.strip()
        return {"id": user, "token": token}

    def rest(self, who, method, path, body=None):
        """Calls the REST interface and returns the decoded answer."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {who['token']}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            return json.load(response)
