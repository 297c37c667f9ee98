"""python-socketio against the product: another library than the official one, in another language."""

import unittest

from programs import Echo, Rolecall
from visitor import Visitor

POLLING, WEBSOCKET, UPGRADE = ["polling"], ["websocket"], ["polling", "websocket"]
HARD_TEXT = "a\u0000b \U0001F469‍\U0001F467 \u202e \x1e \\u001e \"'<b>" + "é" * 2000


def by(*ways):
    """Runs a test once for each way to the server: the transports, which it is given."""
    def decorate(test):
        def run(self):
            for transports in ways:
                with self.subTest(by=" then ".join(transports)):
                    test(self, transports)
        return run
    return decorate


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Rolecall()
        cls.addClassCleanup(cls.server.stop)
        cls.echo = Echo()
        cls.addClassCleanup(cls.echo.stop)

    def visit(self, who=None, url=None, **options):
        visitor = Visitor(url or self.server.url, who, **options)
        self.addCleanup(visitor.leave)
        return visitor

    @by(POLLING, WEBSOCKET, UPGRADE)
    def test_conversation(self, transports):
        ada = self.visit(self.server.person("vendor"), transports=transports)
        ben = self.visit(self.server.person("provider"), transports=transports)
        room = "conversation-" + "-".join(transports)
        for visitor in (ada, ben):
            self.assertEqual(visitor.ask("room:join", room)["status"], "ok")
        said = [HARD_TEXT] + [f"message {n}" for n in range(2, 51)]
        for n, text in enumerate(said, 1):
            ack = (ada, ben)[n % 2].ask("chat:message", {"roomId": room, "text": text})
            self.assertEqual((ack["status"], ack.get("seq")), ("ok", n))
        for visitor in (ada, ben):
            heard = [visitor.next("chat:message") for _ in said]
            self.assertEqual([message["text"] for message in heard], said)
            self.assertEqual([message["seq"] for message in heard], list(range(1, 51)))

    @by(POLLING, WEBSOCKET, UPGRADE)
    def test_notice_heard_and_found(self, transports):
        admin = self.server.person("admin")
        vendor = self.server.person("vendor")
        visitor = self.visit(vendor, transports=transports)
        self.assertEqual(visitor.next("system:inbox")["unread"], 0)
        notice = self.server.rest(admin, "POST", "/notices", {"title": "Hello", "audience": {"users": [vendor["id"]]}})
        self.assertEqual(visitor.next("system:notice")["id"], notice["id"])
        visitor.leave()
        again = self.visit(vendor, transports=transports)
        self.assertEqual([found["id"] for found in again.next("system:inbox")["notices"]], [notice["id"]])
        self.assertEqual(again.ask("system:read", {"id": notice["id"]})["unread"], 0)

    @by(POLLING, WEBSOCKET, UPGRADE)
    def test_position_seen_by_the_company(self, transports):
        company = "company-" + "-".join(transports)
        watcher = self.visit(self.server.person("company", company), transports=transports)
        driver = self.server.person("driver", company)
        phone = self.visit(driver, transports=transports)
        ack = phone.ask("tracking:update", {"lat": 52.52, "lng": 13.405, "heading": 90, "speed": 8.5})
        self.assertEqual((ack["status"], ack["accepted"]), ("ok", 1))
        [seen] = watcher.next("tracking:positions")["positions"]
        self.assertEqual((seen["driverId"], seen["lat"], seen["lng"]), (driver["id"], 52.52, 13.405))

    @by(POLLING, WEBSOCKET, UPGRADE)
    def test_namespaces_share_a_connection(self, transports):
        vendor = self.server.person("vendor")
        visitor = self.visit(vendor, transports=transports, namespaces=("/chat", "/system"))
        self.assertEqual(visitor.next("system:inbox", namespace="/system")["notices"], [])
        ack = visitor.ask("chat:message", {"to": vendor["id"], "text": "Hello"}, namespace="/chat")
        self.assertEqual((ack["status"], ack.get("seq")), ("ok", 1))
        self.assertEqual(visitor.next("chat:message", namespace="/chat")["id"], ack["messageId"])

    @by(POLLING, WEBSOCKET, UPGRADE)
    def test_refused_with_a_code(self, transports):
        for who, code in ((None, "auth_required"), ({"token": "not a token"}, "auth_invalid")):
            visitor = self.visit(who, transports=transports, wait=False)
            self.assertEqual(visitor.next("connect_error")["data"]["code"], code)

    # A close packet, which only polling has, is for this library an end for good.
    @by(WEBSOCKET, UPGRADE)
    def test_comes_back_and_catches_up(self, transports):
        ada = self.visit(self.server.person("vendor"), transports=transports, reconnection=True)
        ada.next("connect")
        room = "lasting-" + "-".join(transports)
        ada.ask("room:join", room)
        self.assertEqual(ada.ask("chat:message", {"roomId": room, "text": "before"})["seq"], 1)
        self.server.restart()
        ada.next("connect")
        ben = self.visit(self.server.person("vendor"), transports=transports)
        ben.ask("room:join", room)
        self.assertEqual(ben.ask("chat:message", {"roomId": room, "text": "after"})["seq"], 2)
        self.assertEqual(ada.ask("room:join", {"roomId": room, "after": 1})["status"], "ok")
        ada.next("room:history")  # of the first join
        self.assertEqual([message["text"] for message in ada.next("room:history")["messages"]], ["after"])

    @by(POLLING, WEBSOCKET, UPGRADE)
    def test_attachments_both_ways(self, transports):
        content = {"name": "picture", "parts": [bytes(range(256)), b"", b"\x1e" * 1000]}
        visitor = self.visit(url=self.echo.url, transports=transports)
        mirrored = visitor.ask("mirror", content)
        self.assertIn(content, mirrored if isinstance(mirrored, list) else mirrored.values())


if __name__ == "__main__":
    unittest.main()
