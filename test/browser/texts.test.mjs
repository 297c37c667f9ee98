// Whatever people call themselves and write, it stays text, and breaks the layout of no view at no size. ROLECALL_TEXTS
// names a folder of published test strings (blns.json, tatoeba_multilingual.tsv, emoji_sequences_17.txt); without it a
// short list stands in.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { mint } from "../node/lib/token.mjs";
import { assertFits } from "./lib/fit.mjs";
import { connected, converse, eavesdrop, launch, openIn, say, show, startServer } from "./lib/stage.mjs";

const sizes = { phone: [390, 844], tablet: [768, 1024], desk: [1280, 800] };
const zalgo = `Z${"\u0351\u036b\u0343\u0317".repeat(60)}algo`;
const names = [
  "W".repeat(200), "a very long name with spaces ".repeat(7).trim(), "محمد بن عبد الله ".repeat(11).trim(), "\u202Ereversed\u202C", "שלום עולם",
  zalgo, "👩‍👩‍👧‍👦".repeat(25), `<img src=x onerror="document.title='owned'">`, "<script>document.title='owned'</script>", "﷽".repeat(40),
  "\u200b\u200b", "𒐫".repeat(60), "กิ่".repeat(60), "-", "{{name}} %s ${x}", "null",
];
const embedded = [
  ...names, "\t\r\n x", "\u2028\u2029", "x".repeat(5000), "https://example.org/" + "path/".repeat(300), "'); DROP TABLE messages;--", "\u0001\u001b[31m",
];

function published(folder) {
  const read = (name) => readFileSync(join(folder, name), "utf8");
  const every = (list, nth) => list.filter((_, index) => index % nth === 0);
  return [
    ...every(JSON.parse(read("blns.json")), 3),
    ...every(read("tatoeba_multilingual.tsv").split("\n").slice(1), 300).map((line) => line.slice(line.indexOf("\t") + 1)),
    ...every(read("emoji_sequences_17.txt").split("\n"), 100),
  ];
}

const texts = [...embedded, ...(process.env.ROLECALL_TEXTS ? published(process.env.ROLECALL_TEXTS) : [])]
  .filter((text) => text !== "" && text.isWellFormed());
let server, browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test("hostile names and texts", async (t) => {
  const context = await browser.newContext();
  const { tell } = await eavesdrop(context);
  const open = (claims) => openIn(context, `${server.url}/#token=${mint(claims)}`);
  const peer = await open({ sub: "peer", username: `Peer ${zalgo}`.slice(0, 100), role: "vendor" });
  await connected(peer.page);
  await peer.page.close();
  const { page, problems } = await open({ sub: "me", username: "me ".repeat(40).trim(), role: "admin" });
  await connected(page);

  const now = new Date().toISOString();
  const position = (n) => ({ driverId: `d-${n}`, companyId: names[n].slice(0, 60), lat: 48 + n / 500, lng: 11, ts: Date.now() });
  tell("tracking:snapshot", {
    positions: names.map((_, n) => position(n)), statuses: names.map((username, n) => ({ driverId: `d-${n}`, username, status: "online", at: 1 })),
  });
  tell("presence:changes", { online: names.map((username, n) => ({ userId: `p-${n}`, username, role: "vendor", companyId: username })), offline: [] });
  for (const [n, name] of names.entries()) {
    tell("system:notice", {
      id: `n-${n}`, title: name, body: texts.at(-1 - n), severity: "info", createdAt: now, requireAck: n % 2 === 0, from: { userId: `p-${n}`, username: name },
    });
  }
  await converse(page, "Peer");
  await say(page, "first");
  const { roomId, seq } = await page.evaluate(async () => {
    const rooms = JSON.parse(sessionStorage.getItem("rolecall:rooms:me"));
    return { roomId: rooms[0], seq: 1 };
  });
  for (const [n, text] of texts.entries()) {
    tell("chat:message", {
      id: `m-${n}`, roomId, seq: seq + 1 + n, userId: `p-${n % names.length}`, username: names[n % names.length], role: "vendor", text, timestamp: now, readBy: [],
    });
  }
  tell("chat:typing", { roomId, userId: "p-0", username: names[0], isTyping: true });
  await page.waitForFunction((count) => document.querySelectorAll("#thread-messages .text").length > count, Math.min(texts.length, 400));

  for (const [size, [width, height]] of Object.entries(sizes)) {
    await t.test(size, async () => {
      await page.setViewportSize({ width, height });
      for (const view of ["chat", "notices", "map", "drivers"]) {
        await show(page, view);
        if (view === "drivers") await page.locator("#drivers-list button").first().click();
        await assertFits(page, `${size}: ${view}`);
        if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `texts-${size}-${view}.png`) });
      }
    });
  }
  if (await page.locator("#thread-back").isVisible()) await page.locator("#thread-back").click();
  await page.setViewportSize({ width: 390, height: 844 });
  await show(page, "chat");
  if (await page.locator("#thread-back").isVisible()) await page.locator("#thread-back").click();
  await assertFits(page, "the list of people");
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, "texts-phone-people.png") });
  assert.equal(await page.locator("main img:not([src^='/assets/']), main script").count(), 0, "text stays text");
  assert.ok(!(await page.title()).includes("owned"));
  assert.deepEqual(problems.filter((text) => !text.includes("404")), [], "but for drivers who are not there");
});
