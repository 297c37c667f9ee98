// What the browser tests stand on: the built program, a browser, and people who are signed in.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { SECRET } from "../../node/lib/token.mjs";

const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });

/** Starts the demo and reads the links that it prints: { url, links: Map of role → address, stop }. */
export async function startDemo(...more) {
  const child = spawn(process.env.ROLECALL_BINARY, ["-demo", "-addr", "127.0.0.1:0", ...more], {
    stdio: ["ignore", "pipe", "ignore"], env: { ...process.env, ROLECALL_JWT_SECRET: SECRET },
  });
  const links = new Map();
  for await (const line of createInterface({ input: child.stdout })) {
    const link = line.match(/^\s+(admin|company|driver|provider|vendor)\s.*?(http\S+#token=\S+)$/);
    if (link && !links.has(link[1])) links.set(link[1], link[2]);
    if (links.size === 5) break;
  }
  child.stdout.resume();
  return { url: new URL(links.get("admin")).origin, links, stop: () => end(child) };
}

/** Starts a server without any data: { url, stop }. */
export async function startServer(...more) {
  const folder = await mkdtemp(join(tmpdir(), "rolecall-page-"));
  const child = spawn(process.env.ROLECALL_BINARY, ["-data-dir", folder, "-addr", "127.0.0.1:0", "-log-format", "json", ...more], {
    stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ROLECALL_JWT_SECRET: SECRET },
  });
  let url;
  for await (const line of createInterface({ input: child.stderr })) {
    url = line.match(/http:\/\/127\.0\.0\.1:\d+/)?.[0];
    if (url) break;
  }
  child.stderr.resume();
  return {
    url,
    stop: async () => {
      await end(child);
      await rm(folder, { recursive: true });
    },
  };
}

async function end(child) {
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  assert.equal(code, 0, "the server stops in order");
}

/** Calls REST for a test's own needs, and returns what is answered. */
export async function ask(url, bearer, method, path, body) {
  const answer = await fetch(`${url}/api/v1${path}`, {
    method, headers: { Authorization: `Bearer ${bearer}`, "Content-Type": "application/json" }, body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.status === 204 ? null : answer.json();
}

/** Opens an address in a context of its own, and notes what must not happen on a page: { page, problems }. */
export async function open(browser, address, options = {}) {
  return openIn(await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options }), address);
}

/** Closes what a test has opened: every open page draws and listens. */
export const closeAll = (browser) => Promise.all(browser.contexts().map((context) => context.close()));

export async function openIn(context, address) {
  const page = await context.newPage();
  page.setDefaultTimeout(Number(process.env.PATIENCE ?? 15_000));
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(address);
  return { page, problems };
}

export const connected = (page) => page.waitForFunction(() => document.getElementById("connection").dataset.state === "connected");

/** Shows a view: by its tab, where there is one. */
export async function show(page, view) {
  const tab = page.locator(`.tabs [data-view="${view}"]`);
  if (await tab.isVisible()) await tab.click();
  await page.locator(`#${view}`).waitFor();
}

/** Opens the conversation with a person, found by name. */
export async function converse(page, name) {
  await show(page, "chat");
  if (await page.locator("#thread-back").isVisible()) await page.locator("#thread-back").click();
  await page.locator("#talks-search").fill(name);
  await page.locator("#talks-list button").filter({ hasText: name }).first().click();
  await page.locator("#composer-text").waitFor();
}

/** Says something in the conversation that is open, and waits for the server to confirm it. */
export async function say(page, text) {
  await page.locator("#composer-text").fill(text);
  await page.locator("#composer button[type=submit]").click();
  await page.locator("#thread-messages .message.mine:not(.waiting)").filter({ hasText: text }).waitFor();
}

/**
 * Lets a test speak in the server's place, beside it: `tell` sends the newest page an event, `end` ends all connections and
 * from then on refuses a token as one that has ended.
 */
export async function eavesdrop(context) {
  const routes = [];
  let ended;
  await context.routeWebSocket(/socket\.io/, (page) => {
    const server = page.connectToServer();
    routes.push(page);
    page.onMessage((message) => {
      if (ended && String(message).startsWith("40") && message.includes(ended)) page.send('44{"message":"Token expired","data":{"code":"auth_expired"}}');
      else server.send(message);
    });
    server.onMessage((message) => page.send(message));
  });
  return {
    tell: (event, payload) => routes.at(-1).send(`42${JSON.stringify([event, payload])}`),
    end: async (token) => {
      ended = token;
      await Promise.all(routes.splice(0).map((page) => page.close()));
    },
  };
}
