// What the page promises to who uses it, on a server of its own and in the demo.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { mint } from "../node/lib/token.mjs";
import { assertFits } from "./lib/fit.mjs";
import { ask, closeAll, connected, converse, eavesdrop, launch, open, openIn, say, show, startDemo, startServer } from "./lib/stage.mjs";

let server, demo, browser;
const soon = (seconds) => Math.floor(Date.now() / 1000) + seconds;
const link = (token, { url } = server) => `${url}/#token=${token}`;
const boss = mint({ sub: "boss", username: "Bea Boss", role: "admin" });
const driver = (n) => mint({ sub: `drv-${n}`, username: `Driver ${n}`, role: "driver", companyId: "acme" });
const report = (token, lat, lng) => ask(server.url, token, "POST", "/positions", { lat, lng, ts: Date.now() });

before(async () => {
  [server, demo, browser] = await Promise.all([startServer(), startDemo("-demo-drivers", "2"), launch()]);
});

afterEach(() => closeAll(browser));

after(async () => {
  await browser?.close();
  await Promise.all([server?.stop(), demo?.stop()]);
});

test("who has no token is told how to get in, and pastes one only as a developer", async () => {
  const { page, problems } = await open(browser, server.url);
  await page.getByText("Open the link you were sent").waitFor();
  assert.equal(await page.locator("#signin-token").isVisible(), false);
  await page.locator("#signin-token-details summary").click();
  await page.locator("#signin-token").fill(boss);
  await page.getByRole("button", { name: "Continue" }).click();
  await connected(page);
  assert.deepEqual(problems, []);
});

test("an operator's sign-in page is led to, and leads back", async () => {
  const other = await startServer("-sign-in-url", "https://id.example/login?to={return}");
  try {
    const { page } = await open(browser, other.url);
    assert.equal(await page.locator("#signin-link").getAttribute("href"), `https://id.example/login?to=${encodeURIComponent(`${other.url}/`)}`);
    await page.goto(`${other.url}/#access_token=${boss}`);
    await connected(page);
    assert.equal(new URL(page.url()).hash, "", "the token leaves the address bar");
  } finally {
    await other.stop();
  }
});

test("somebody at the machine is anybody of the demo with one click", async () => {
  const { page, problems } = await open(browser, demo.url);
  await page.getByRole("button", { name: "Paul (provider)" }).click();
  await connected(page);
  assert.equal(await page.locator("#me-name").textContent(), "Paul (provider)");
  assert.deepEqual(problems, []);
});

test("a sign-in that ends is renewed in every tab with one click, and what was being written stays", async () => {
  const context = await browser.newContext();
  const { end } = await eavesdrop(context);
  const ending = mint({ sub: "ada", username: "Ada (admin)", role: "admin" });
  const { page, problems } = await openIn(context, link(ending, demo));
  const other = await openIn(context, link(ending, demo));
  for (const tab of [page, other.page]) await connected(tab);
  await converse(page, "car-001");
  await page.locator("#composer-text").fill("half a sentence");
  await end(ending);
  for (const tab of [page, other.page]) await tab.getByText("Your sign-in has ended. Sign in again to go on.").waitFor();
  await page.getByRole("button", { name: "Go on as Ada (admin)" }).click();
  for (const tab of [page, other.page]) {
    await connected(tab);
    await tab.locator("#renewal").waitFor({ state: "hidden" });
  }
  assert.equal(await page.locator("#composer-text").inputValue(), "half a sentence");
  await page.reload();
  await connected(page);
  await page.locator("#talks-list button").filter({ hasText: "Draft: half a sentence" }).click();
  assert.equal(await page.locator("#composer-text").inputValue(), "half a sentence");
  assert.deepEqual([...problems, ...other.problems], []);
});

test("before a sign-in ends the page says so, and takes a newer link or token without a break", async () => {
  const ends = (seconds) => mint({ sub: "pia", username: "Pia", role: "provider", exp: soon(seconds) });
  const { page, problems } = await open(browser, link(ends(50)));
  await page.getByText("Open the link that you signed in with").waitFor();
  assert.equal(await page.locator("#renewal-token").isVisible(), false);
  const newer = ends(3600);
  await openIn(page.context(), link(newer)); // in a tab of its own
  await page.locator("#renewal").waitFor({ state: "hidden" });
  const old = await openIn(page.context(), link(ends(120))); // an old link takes nothing from the other tabs
  await connected(old.page);
  assert.equal(await page.evaluate(() => sessionStorage.getItem("rolecall:token")), newer);
  assert.equal(await page.locator("#connection").getAttribute("data-state"), "connected");
  assert.deepEqual(problems, []);
});

test("the map opens on the fleet, whatever strays, and keeps the view that somebody has chosen", async () => {
  for (let n = 1; n <= 5; n += 1) await report(driver(n), 48.1 + n / 1000, 11.5);
  await report(driver(6), -33.9, 151.2); // at the other end of the world
  const { page, problems } = await open(browser, link(boss));
  await page.getByText("6 of 6 online").waitFor();
  const zoomIn = async () => {
    await page.evaluate(() => localStorage.removeItem("rolecall:map:boss"));
    await page.locator("#map-in").click();
    await page.waitForFunction(() => localStorage.getItem("rolecall:map:boss"));
    return page.evaluate(() => JSON.parse(localStorage.getItem("rolecall:map:boss")));
  };
  const chosen = await zoomIn();
  const munich = 11.5 / 360 + 0.5;
  assert.ok(Math.abs(chosen.x - munich) < 1e-4 && chosen.scale > 2 ** 18, JSON.stringify(chosen));
  await page.reload();
  await page.getByText("6 of 6 online").waitFor();
  const again = await zoomIn();
  assert.ok(Math.abs(again.x - chosen.x) < 1e-6 && Math.abs(again.scale / chosen.scale - 1.6) < 0.01, JSON.stringify([chosen, again]));
  await page.locator("#map-fit").click();
  await page.locator("#map-fit").click(); // again: every last place
  const everything = await zoomIn();
  assert.ok(everything.scale < 2 ** 14, JSON.stringify(everything));
  assert.deepEqual(problems, []);
});

test("a driver who is new while the page is open has a name", async () => {
  const { page, problems } = await open(browser, link(boss));
  await connected(page);
  await report(mint({ sub: "drv-new", username: "Nadia Newcomer", role: "driver", companyId: "acme" }), 48.1, 11.5);
  await page.locator("#drivers-list strong").filter({ hasText: "Nadia Newcomer" }).waitFor();
  assert.equal(await page.locator("#drivers-list strong").filter({ hasText: "drv-new" }).count(), 0);
  assert.deepEqual(problems, []);
});

test("sharing outlives a reload, says when it has stopped, and says what others see when it is off", async () => {
  const options = { permissions: ["geolocation"], geolocation: { latitude: 48.1, longitude: 11.5 } };
  const sharing = link(mint({ sub: "drv-7", username: "Dan", role: "driver", companyId: "acme" }));
  const { page, problems } = await open(browser, sharing, options);
  const state = (tab, text) => tab.locator("#drive-state").filter({ hasText: text }).waitFor();
  await connected(page);
  assert.equal(await page.locator("#drive-walk").isVisible(), false, "a walk is simulated in the demo alone");
  await state(page, "Off. Your company sees that you are signed in, and no position.");
  await page.locator("#drive-switch").click();
  await state(page, "On. Your company sees your position.");
  await page.reload();
  await state(page, "On. Your company sees your position.");
  await page.close();
  const next = await openIn(browser.contexts()[0], sharing);
  await next.page.getByText("Sharing stopped when this page was closed.").waitFor();
  await state(next.page, "Your company sees your last position, of ");
  await next.page.getByRole("button", { name: "Share again" }).click();
  await state(next.page, "On. Your company sees your position.");
  await next.page.locator("#drive-switch").click();
  await state(next.page, "Off. Where you go from here is not sent.");
  await next.page.reload();
  await state(next.page, "Off. Where you go from here is not sent.");
  assert.equal(await next.page.locator("#drive-stopped").isVisible(), false, "who has switched it off is not asked again");
  assert.deepEqual([...problems, ...next.problems], []);
});

test("a walk is simulated in the demo, and goes on after a reload", async () => {
  const { page, problems } = await open(browser, demo.links.get("driver"));
  await page.getByRole("button", { name: "Simulate a walk" }).click();
  const walking = page.locator("#drive-state").filter({ hasText: "On." });
  await walking.waitFor();
  await page.reload();
  await walking.waitFor();
  await page.getByRole("button", { name: "Stop the simulated walk" }).click();
  await page.locator("#drive-state").filter({ hasText: "Off." }).waitFor();
  assert.deepEqual(problems, []);
});

test("a notice that was read stays in the history, and is read in every tab", async () => {
  const vic = mint({ sub: "vic", username: "Vic", role: "vendor" });
  const { page, problems } = await open(browser, link(vic));
  const other = await open(browser, link(vic));
  for (const tab of [page, other.page]) await connected(tab);
  for (const title of ["Gate 4 is closed", "Gate 5 is closed"]) {
    await ask(server.url, boss, "POST", "/notices", { title, body: "Use gate 2.", audience: { users: ["vic"] }, requireAck: true });
  }
  const badge = (tab, count) => tab.waitForFunction((wanted) => document.title === wanted, count ? `(${count}) Rolecall` : "Rolecall");
  await badge(other.page, 2);
  await page.locator("#notices-list .notice").filter({ hasText: "Gate 4" }).getByRole("button").click();
  await badge(other.page, 1);
  await other.page.locator("#notices-list .notice").filter({ hasText: "Gate 4" }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Mark all read" }).click();
  await badge(other.page, 0);
  await page.reload();
  await page.getByText("You are up to date.").waitFor();
  await page.locator("#notices-all").click();
  for (const gate of ["Gate 4", "Gate 5"]) {
    await page.locator("#notices-list .notice.read").filter({ hasText: gate }).getByText("Acknowledged").waitFor();
  }
  assert.deepEqual([...problems, ...other.problems], []);
});

test("a notice goes from the inbox when it expires", async () => {
  const { page, problems } = await open(browser, link(mint({ sub: "xena", username: "Xena", role: "vendor" })));
  await connected(page);
  await ask(server.url, boss, "POST", "/notices", {
    title: "For a moment", body: "…", audience: { users: ["xena"] }, expiresAt: new Date(Date.now() + 2500).toISOString(),
  });
  const notice = page.locator("#notices-list .notice");
  await notice.waitFor();
  await notice.waitFor({ state: "detached" });
  assert.equal(await page.title(), "Rolecall");
  assert.deepEqual(problems, []);
});

test("a search for a person never ends in a public room; one is opened on purpose alone", async () => {
  const { page, problems } = await open(browser, link(mint({ sub: "wim", username: "Wim", role: "vendor" })));
  await connected(page);
  await page.locator("#talks-search").fill("zed");
  await page.getByText("Nobody called “zed” was found.").waitFor();
  assert.equal(await page.locator("#talks-list button").count(), 0);
  await page.getByRole("button", { name: "Open a public room…" }).click();
  await page.getByText("Anyone who is signed in here can enter it").waitFor();
  await page.getByLabel("Name of the room").fill("lobby");
  await page.getByRole("button", { name: "Open the room" }).click();
  await page.getByText("Public room: anyone signed in can read it").waitFor();
  await say(page, "Anybody here?");
  await page.locator("#thread-title").filter({ hasText: "lobby" }).waitFor();
  assert.deepEqual(problems, []);
});

test("who was put into a group sees who is in it, and leaves it for good", async () => {
  const colleague = (sub, username) => mint({ sub, username, role: "company", companyId: "acme" });
  const [gil, moe] = [colleague("gil", "Gil"), colleague("moe", "Moe")];
  const { page, problems } = await open(browser, link(gil));
  await connected(page);
  // Moe is another client, without this page.
  const { roomId } = await page.evaluate(async (token) => {
    const { io } = await import("/socket.io/socket.io.esm.min.js");
    window.moe = io({ auth: { token }, forceNew: true, transports: ["websocket"] });
    return window.moe.emitWithAck("room:create", { name: "Night shift", members: ["gil"] });
  }, moe);
  const tell = (text) => ask(server.url, moe, "POST", `/rooms/${encodeURIComponent(roomId)}/messages`, { text });
  await page.locator("#talks-list button").filter({ hasText: "Night shift" }).waitFor();
  await tell("Who is awake?");
  await page.locator("#talks-list button").filter({ hasText: "Night shift" }).filter({ hasText: "Who is awake?" }).waitFor();
  await page.reload(); // and it is found again
  await page.locator("#talks-list button").filter({ hasText: "Who is awake?" }).click();
  await page.locator("#thread-title").filter({ hasText: "Night shift" }).waitFor();
  await page.getByRole("button", { name: "Leave" }).click();
  await page.locator("#thread").waitFor({ state: "hidden" });
  await tell("Anybody?");
  await page.reload();
  await connected(page);
  await page.locator("#talks-list button").filter({ hasText: "Moe" }).waitFor();
  assert.equal(await page.locator("#talks-list button").filter({ hasText: /Night shift|Who is awake|Anybody/ }).count(), 0);
  assert.equal(await page.locator("#toasts .toast").count(), 0, "who leaves is not told that they are out");
  assert.deepEqual(problems, []);
});

test("what was said to who was away stands in the list and counts, until it is read", async () => {
  const [ida, uwe] = [mint({ sub: "ida", username: "Ida", role: "vendor" }), mint({ sub: "uwe", username: "Uwe", role: "provider" })];
  await ask(server.url, ida, "GET", "/me"); // whoever has been here is known
  for (const text of ["Are you there?", "Call me back"]) await ask(server.url, uwe, "POST", "/rooms/dm:ida:uwe/messages", { text });
  const { page, problems } = await open(browser, link(ida));
  await connected(page);
  const row = page.locator("#talks-list button").filter({ hasText: "Call me back" });
  await row.filter({ hasText: "Uwe" }).locator(".badge").filter({ hasText: "2" }).waitFor();
  await page.locator("#chat-badge").filter({ hasText: "2" }).waitFor({ state: "attached" }); // shown where the list is not
  await row.click();
  await page.locator("#thread-messages").filter({ hasText: "Are you there?" }).filter({ hasText: "Call me back" }).waitFor();
  await page.locator("#chat-badge[hidden]").waitFor({ state: "attached" });
  const isUnread = async () => (await ask(server.url, ida, "GET", "/rooms")).items[0].unread > 0;
  while (await isUnread()) await page.waitForTimeout(100); // the test's own time bounds it
  await page.reload();
  await row.waitFor();
  await connected(page);
  assert.equal(await page.locator("#chat-badge[hidden]").count(), 1);
  assert.deepEqual(problems, []);
});

test("a phone's way back leads from a conversation to the list, whose rows stay under a finger", async () => {
  await connected((await open(browser, link(mint({ sub: "will", username: "Will Known", role: "vendor" })))).page);
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const { tell } = await eavesdrop(context);
  const { page, problems } = await openIn(context, link(mint({ sub: "yan", username: "Yan", role: "vendor" })));
  await connected(page);
  const row = page.locator("#talks-list button").filter({ hasText: "Will Known" });
  await row.hover();
  await page.mouse.down();
  tell("presence:online", { userId: "ann", username: "Ann Another" });
  await page.locator("#talks-list button").filter({ hasText: "Ann Another" }).waitFor();
  await row.hover();
  await page.mouse.up();
  await page.locator("#composer-text").waitFor();
  await page.goBack();
  await page.locator("#talks-search").waitFor();
  await converse(page, "Will Known");
  await page.locator("#thread-back").click();
  await page.locator("#talks-search").waitFor();
  assert.equal(await page.locator("#thread").isVisible(), false);
  assert.deepEqual(problems, []);
});

test("small phones, and phones on their side, have room for what matters", async () => {
  for (const [role, vital] of [["admin", "#map-canvas"], ["driver", "#drive-switch"], ["vendor", "#talks-search"]]) {
    const { page, problems } = await open(browser, demo.links.get(role), { hasTouch: true, isMobile: true });
    await connected(page);
    for (const [width, height] of [[320, 568], [667, 375], [844, 390]]) {
      await page.setViewportSize({ width, height });
      await assertFits(page, `${role}, ${width} × ${height}`, { touch: true });
      const covered = await page.locator(vital).evaluate((node) => {
        const { left, right, top, bottom } = node.getBoundingClientRect();
        const inside = [[left + 20, top + 8], [right - 20, bottom - 8]]; // corners are round
        return inside.some(([x, y]) => { const seen = document.elementFromPoint(x, y); return !node.contains(seen); });
      });
      assert.equal(covered, false, `${role}, ${width} × ${height}: ${vital} shows`);
    }
    assert.deepEqual(problems, []);
    await page.context().close();
  }
});

test("the page understands all that the contract lets a server say, and what it does not say breaks nothing", async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const { tell } = await eavesdrop(context);
  const { page, problems } = await openIn(context, link(boss));
  await connected(page);

  tell("tracking:snapshot", { positions: [{ driverId: "s-1", companyId: "acme", lat: 48, lng: 11, ts: Date.now() }], statuses: [{ driverId: "s-1", status: "online", username: "Sam One", at: 1 }] });
  tell("tracking:snapshot", { positions: [], statuses: [{ driverId: "s-2", status: "off_duty", username: "Sam Two", at: 1 }] });
  for (const [name, status] of [["Sam One", "online"], ["Sam Two", "off_duty"]]) {
    await page.locator("#drivers-list button").filter({ hasText: name }).locator(`.dot[data-status=${status}]`).waitFor();
  }
  tell("presence:changes", { online: [{ userId: "many-1", username: "Mia Many" }], offline: [{ userId: "many-2", username: "Noa Many" }] });
  await page.locator("#talks-search").fill("many");
  await page.locator("#talks-list button").filter({ hasText: "Mia Many" }).filter({ hasText: "online" }).waitFor();
  await page.locator("#talks-list button").filter({ hasText: "Noa Many" }).waitFor();
  await page.locator("#talks-search").fill("");

  await page.getByRole("button", { name: "Open a public room…" }).click();
  await page.getByLabel("Name of the room").fill("square");
  await page.getByRole("button", { name: "Open the room" }).click();
  const message = (seq, timestamp) => ({ id: `m-${seq}`, roomId: "square", seq, userId: "many-1", username: "Mia Many", role: "vendor", text: `message ${seq}`, timestamp, readBy: ["many-1"] });
  await page.locator("#composer-text").waitFor();
  tell("chat:message", message(1, "2026-11-25T09:30:00.000Z"));
  tell("chat:message", message(2, "no time at all"));
  for (const text of ["message 1", "message 2"]) await page.locator("#thread-messages").filter({ hasText: text }).waitFor();
  tell("room:removed", { roomId: "square" });
  await page.locator("#thread").waitFor({ state: "hidden" });

  for (const [n, expiresAt] of [8.64e15 + 1, "garbage", null, "+275760-09-14T00:00:00.000Z", {}].entries()) {
    tell("system:notice", { id: `n-${n}`, title: `Odd end ${n}`, body: "…", severity: "info", createdAt: "2026-11-25T09:30:00.000Z", expiresAt, from: { userId: "boss", username: "Bea" } });
  }
  await show(page, "notices");
  await page.locator("#notices-list .notice").filter({ hasText: "Odd end 4" }).waitFor();
  assert.equal(await page.locator("#notices-list .notice").filter({ hasText: "Odd end" }).count(), 5);
  tell("system:retract", { id: "n-0" });
  await page.locator("#notices-list .notice").filter({ hasText: "Odd end 0" }).waitFor({ state: "detached" });
  tell("system:unread", { unread: 0 });
  await page.waitForFunction(() => document.title === "Rolecall");
  tell("auth:expiring", { expiresAt: "never" });
  await page.getByText("Your sign-in ends soon.").waitFor();
  assert.deepEqual(problems, []);
});
