// Uses the official Socket.IO Admin UI as an admin would: signs in, looks around, sends somebody away.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { mint as token } from "../node/lib/token.mjs";
import { ask, launch, open, openIn, startServer } from "./lib/stage.mjs";

const { io } = createRequire(new URL("../node/package.json", import.meta.url))("socket.io-client");
const admin = token({ sub: "root", role: "admin", username: "Root" });
let server, browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

// connect has somebody be there, who does not come back by themselves.
async function connect(sub, role, namespace = "/") {
  const socket = io(server.url + namespace, { auth: { token: token({ sub, role }) }, reconnection: false, forceNew: true, transports: ["websocket"] });
  await once(socket, "connect");
  return socket;
}

// signIn fills in the form, where the page has put its own address.
async function signIn(page, { name = "", password }) {
  const form = page.locator("form");
  await form.waitFor();
  await page.waitForFunction((origin) => document.querySelector("form input[type=text]").value === origin, server.url);
  await form.getByLabel("Username").fill(name);
  await form.getByLabel("Password").fill(password);
  await form.getByRole("button", { name: "Connect" }).click();
}

const status = (page) => page.locator("header, .v-app-bar").getByText("connected", { exact: true }).first();
const goTo = (page, name) => page.locator("nav").getByText(name, { exact: true }).click();
const shot = async (page, name) => process.env.SCREENSHOT && page.screenshot({ path: `${process.env.SCREENSHOT}-${name}.png` });

// watch opens the page and notes what goes to anywhere else.
async function watch(context) {
  const opened = await (context ? openIn(context, `${server.url}/admin/ui/`) : open(browser, `${server.url}/admin/ui/`));
  opened.page.on("request", (request) => {
    if (/^(https?|wss?):/.test(request.url()) && new URL(request.url()).host !== new URL(server.url).host) opened.problems.push(request.url());
  });
  return opened;
}

test("an admin signs in, sees who is there, and sends somebody away", async () => {
  const ada = await connect("ada", "vendor");
  const { page, problems } = await watch();
  await signIn(page, { password: token({ sub: "eve", role: "driver" }) });
  await page.getByText("Invalid credentials").waitFor();
  await signIn(page, { password: admin });
  await status(page).waitFor();

  // The overview: one client beside the page's own, and it moves.
  const clients = page.locator(".v-card").filter({ hasText: "Clients" }).first();
  const shows = (count) => clients.locator("h2").filter({ hasText: new RegExp(`^${count}$`) }).first().waitFor();
  await shows(2);
  const bob = await connect("bob", "provider", "/chat");
  await shows(3);
  await shot(page, "overview");
  await page.evaluate(() => document.fonts.ready);
  const fonts = await page.evaluate(() => [...document.fonts].filter((font) => font.status === "loaded").map((font) => font.family));
  for (const family of ["Roboto", "Material Design Icons"]) assert.ok(fonts.some((name) => name.includes(family)), `${family} among ${fonts}`);

  // Sockets and rooms.
  await goTo(page, "Sockets");
  const row = page.locator("tbody tr").filter({ hasText: "127.0.0.1" });
  await row.first().waitFor();
  assert.equal(await row.count(), 1, "the sockets of / are listed");
  await shot(page, "sockets");
  await goTo(page, "Rooms");
  await page.locator("tbody tr").filter({ hasText: "user:ada" }).waitFor();
  await page.locator("tbody tr").filter({ hasText: "role:vendor" }).waitFor();
  await shot(page, "rooms");

  // The details of a socket tell whose it is.
  await goTo(page, "Sockets");
  await row.first().click();
  await page.getByText('"userId": "ada"').waitFor();
  await shot(page, "socket");

  // One is sent away.
  await goTo(page, "Sockets");
  const gone = once(ada, "disconnect");
  await row.first().getByRole("button").last().click();
  assert.equal((await gone)[0], "io server disconnect");
  await goTo(page, "Sockets"); // the click has led to the details as well
  await page.getByText("No data available").waitFor();
  await row.first().waitFor({ state: "detached" }); // the details are on their way out
  const audit = await ask(server.url, admin, "GET", "/audit");
  assert.deepEqual(audit.items.map(({ action, target, actor }) => [action, target, actor.userId]), [["socket.disconnect", "ada", "root"]]);

  bob.close();
  assert.deepEqual(problems, []);
});

test("a page that is loaded anew needs no password", async () => {
  const { page, problems } = await watch();
  await signIn(page, { password: admin });
  await status(page).waitFor();
  await page.waitForFunction(() => localStorage.getItem("session_id"));
  const kept = await page.evaluate(() => JSON.stringify(localStorage));
  assert.ok(!kept.includes(admin), "the token is not kept");
  const again = await watch(page.context());
  await status(again.page).waitFor();
  assert.equal(await again.page.locator("form").count(), 0);
  await page.context().close();
  assert.deepEqual([...problems, ...again.problems], []);
});
