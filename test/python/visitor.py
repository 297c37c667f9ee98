"""A client of python-socketio that remembers what it hears."""

import queue
import threading

import socketio

from programs import DEADLINE

EVENTS = ("connect", "connect_error", "chat:message", "room:history", "system:inbox", "system:notice", "tracking:positions")


class Visitor:
    """One client and its namespaces. Who does not wait for the connection finds out by "connect" and "connect_error"."""

    def __init__(self, url, who=None, transports=("websocket",), namespaces=("/",), reconnection=False, wait=True):
        self._heard = {}
        self._lock = threading.Lock()
        self.client = socketio.Client(reconnection=reconnection, reconnection_delay=0.05, reconnection_delay_max=0.2)
        for namespace in namespaces:
            for event in EVENTS:
                self.client.on(event, self._keeper(namespace, event), namespace=namespace)
        self.client.connect(
            url, transports=list(transports), namespaces=list(namespaces), wait=wait, wait_timeout=DEADLINE,
            auth={"token": who["token"]} if who else None)

    def _keeper(self, namespace, event):
        return lambda *arguments: self._queue(namespace, event).put(arguments[0] if arguments else None)

    def _queue(self, namespace, event):
        with self._lock:
            return self._heard.setdefault((namespace, event), queue.Queue())

    def next(self, event, namespace="/"):
        """The next payload of an event."""
        return self._queue(namespace, event).get(timeout=DEADLINE)

    def ask(self, event, payload=None, namespace="/"):
        """Emits an event and returns its ack."""
        return self.client.call(event, payload, namespace=namespace, timeout=DEADLINE)

    def leave(self):
        self.client.reconnection = False  # else the library may take its own leaving for a loss
        self.client.disconnect()
