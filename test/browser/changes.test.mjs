// What becomes of messages while somebody looks at them, and what is said of people: on the page of who is told of it.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { mint } from "../node/lib/token.mjs";
import { assertAccessible, assertFits } from "./lib/fit.mjs";
import { ask, closeAll, connected, converse, launch, open, openIn, startServer } from "./lib/stage.mjs";

let server, browser;
const link = (token) => `${server.url}/#token=${token}`;
const [ben, eva] = [mint({ sub: "ben", username: "Ben", role: "vendor" }), mint({ sub: "eva", username: "Eva", role: "provider" })];
const room = "/rooms/dm:ben:eva/messages";

before(async () => { [server, browser] = await Promise.all([startServer(), launch()]); });
afterEach(() => closeAll(browser));
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("what becomes of a message shows at once, in the thread and in the list, and is the same after a reload", async () => {
  await ask(server.url, ben, "GET", "/me");
  const say = (text, more = {}) => ask(server.url, eva, "POST", room, { text, ...more });
  const first = await say("Gate four");
  const reply = await say("Is that right?", { replyTo: first.messageId });
  const { page, problems } = await open(browser, link(ben));
  await connected(page);
  const row = page.locator("#talks-list button").filter({ hasText: "Eva" });
  await row.filter({ hasText: "Is that right?" }).waitFor();

  await ask(server.url, eva, "PATCH", `${room}/${reply.messageId}`, { text: "That is right" });
  await row.filter({ hasText: "That is right" }).waitFor(); // in the list, before the thread was opened
  await row.click();
  const bubble = (text) => page.locator("#thread-messages .message").filter({ has: page.locator(".text", { hasText: text }) });
  await bubble("That is right").filter({ hasText: "edited" }).locator(".quote").filter({ hasText: "Eva" }).filter({ hasText: "Gate four" }).waitFor();

  await ask(server.url, eva, "PATCH", `${room}/${first.messageId}`, { text: `Gate five ${"x".repeat(400)}` });
  await bubble("Gate five").filter({ hasText: "edited" }).waitFor();
  await bubble("That is right").locator(".quote").filter({ hasText: "Gate five" }).waitFor();
  assert.equal(await page.getByText("Gate four").count(), 0);
  assert.equal(await bubble("That is right").locator(".quote span").textContent(), `Gate five ${"x".repeat(190)}`, "a quote has 200 characters");

  const react = (on) => page.evaluate(async ([token, messageId, isOn]) => {
    const { io } = await import("/socket.io/socket.io.esm.min.js");
    window.eva ??= io({ auth: { token }, forceNew: true, transports: ["websocket"] }); // Eva is another client, without this page
    return window.eva.emitWithAck("chat:react", { roomId: "dm:ben:eva", messageId, emoji: "👍", on: isOn });
  }, [eva, reply.messageId, on]);
  assert.equal((await react(true)).status, "ok");
  await bubble("That is right").locator(".reactions").filter({ hasText: "👍 1" }).waitFor();
  assert.equal((await react(false)).status, "ok");
  await bubble("That is right").locator(".reactions").waitFor({ state: "hidden" });
  assert.equal((await react(true)).status, "ok");
  await page.reload();
  await row.click();
  await bubble("That is right").locator(".reactions").filter({ hasText: "👍 1" }).waitFor();
  await assertFits(page, "a thread with a quote and a reaction");
  await assertAccessible(page, "a thread with a quote and a reaction");
  await page.setViewportSize({ width: 320, height: 568 });
  await assertFits(page, "the same on a small phone");
  await page.setViewportSize({ width: 1440, height: 900 });

  for (const { messageId } of [first, reply]) await ask(server.url, eva, "DELETE", `${room}/${messageId}`);
  const gone = async () => {
    await page.waitForFunction(() => document.querySelectorAll("#thread-messages .message.deleted").length === 2);
    assert.deepEqual(await page.locator("#thread-messages .text").allTextContents(), ["Message deleted", "Message deleted"]);
    assert.equal(await page.locator("#thread-messages").getByText(/Gate|right|edited|👍/).filter({ visible: true }).count(), 0);
    await row.filter({ hasText: "Message deleted" }).waitFor();
  };
  await gone();
  await page.reload();
  await row.filter({ hasText: "Message deleted" }).waitFor();
  await row.click();
  await gone();
  assert.deepEqual(problems, []);
});

test("what has become of messages while there was no connection shows when there is one again", async () => {
  const { messageId } = await ask(server.url, eva, "POST", room, { text: "Before the tunnel" });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const lines = [];
  let cut = false;
  await context.routeWebSocket(/socket\.io/, (line) => {
    if (cut) return line.close();
    line.connectToServer();
    return lines.push(line);
  });
  const { page, problems } = await openIn(context, link(ben));
  await connected(page);
  await page.locator("#talks-list button").filter({ hasText: "Before the tunnel" }).click();
  await page.locator("#thread-messages").filter({ hasText: "Before the tunnel" }).waitFor();
  cut = true;
  await Promise.all(lines.map((line) => line.close()));
  await page.waitForFunction(() => document.getElementById("connection").dataset.state !== "connected");
  await ask(server.url, eva, "PATCH", `${room}/${messageId}`, { text: "After the tunnel" });
  cut = false;
  await page.locator("#thread-messages").filter({ hasText: "After the tunnel" }).waitFor();
  await page.locator("#talks-list button").filter({ hasText: "After the tunnel" }).waitFor();
  assert.deepEqual(problems, []);
});

test("of whom it may not be known whether they are there, nothing is said about it", async () => {
  await ask(server.url, mint({ sub: "pam", username: "Pam Public", role: "provider" }), "GET", "/me");
  const { page, problems } = await open(browser, link(mint({ sub: "ned", username: "Ned", role: "vendor" })));
  await connected(page);
  await converse(page, "Pam Public");
  await page.locator("#thread-note").filter({ hasText: "provider" }).waitFor();
  assert.equal(await page.locator("#thread-note").textContent(), "provider · pam");
  assert.deepEqual(problems, []);
});
