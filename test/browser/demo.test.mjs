// Starts the demo as a newcomer would and looks at it in a real browser.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const chromiumFlags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const links = new Map(); // role -> address
let server, browser;

before(async () => {
  server = spawn(process.env.ROLECALL_BINARY, ["-demo", "-addr", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "ignore"] });
  for await (const line of createInterface({ input: server.stdout })) {
    const link = line.match(/^\s+(admin|company|driver|provider|vendor)\s.*?(http\S+#token=\S+)$/);
    if (link && !links.has(link[1])) links.set(link[1], link[2]);
    if (links.size === 5) break;
  }
  server.stdout.resume();
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: chromiumFlags });
});

after(async () => {
  await browser?.close();
  server.kill("SIGTERM");
  const [code] = await once(server, "exit");
  assert.equal(code, 0, "the demo stops in order");
});

async function open(role, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(links.get(role));
  return { page, problems };
}

test("the admin link shows the fleet moving", async () => {
  const { page, problems } = await open("admin");
  const canvas = page.locator("canvas").first();
  await canvas.waitFor();
  await page.waitForFunction(() => document.body.innerText.includes("online"));
  assert.ok(!page.url().includes("token="), "the token leaves the address bar");

  const still = await canvas.screenshot();
  await assert.doesNotReject(async () => {
    for (let i = 0; i < 100; i++) {
      await page.waitForTimeout(100); // a picture takes time to change; the loop ends as soon as it has
      if (!still.equals(await canvas.screenshot())) return;
    }
    throw new Error("the map has not changed in ten seconds");
  });
  if (process.env.SCREENSHOT) {
    await page.waitForTimeout(45_000); // long enough for every car to have driven a while
    await page.locator("#drivers-list button").nth(4).click();
    await page.waitForTimeout(3_000);
    await page.screenshot({ path: process.env.SCREENSHOT });
  }
  assert.deepEqual(problems, []);
});

for (const role of ["company", "driver", "provider", "vendor"]) {
  test(`the ${role} link opens a page already signed in`, async () => {
    const { page, problems } = await open(role);
    await page.waitForFunction(() => document.getElementById("connection").dataset.state === "connected");
    assert.deepEqual(problems, []);
  });
}

async function converse(page, person) {
  await page.waitForFunction(() => document.getElementById("connection").dataset.state === "connected");
  if (await page.locator(".tabs").isVisible()) await page.locator('.tabs [data-view="chat"]').click();
  await page.locator("#talks-search").fill(person);
  await page.locator("#talks-list button").filter({ hasText: `${person} (` }).click();
  await page.locator("#composer-text").waitFor();
}

test("a message typed by one is read by the other, markup and all", async () => {
  const vendor = await open("vendor");
  const provider = await open("provider");
  await converse(vendor.page, "Paul");
  await converse(provider.page, "Vera");
  const text = `<img src=x onerror="document.title='owned'"> \u202Eabc\u202C 👩‍👩‍👧‍👦 ${Date.now()}`;
  await vendor.page.locator("#composer-text").fill(text);
  await vendor.page.locator("#composer-text").press("Enter");
  for (const { page } of [vendor, provider]) {
    await page.waitForFunction((wanted) => document.getElementById("thread-messages").textContent.includes(wanted), text);
    assert.equal(await page.locator("#thread-messages img").count(), 0, "text stays text");
    assert.equal(await page.title().then((title) => title.includes("owned")), false);
  }
  assert.deepEqual([...vendor.problems, ...provider.problems], []);
});

test("a message from somebody new is shown with their name", async () => {
  const provider = await open("provider");
  await provider.page.waitForFunction(() => document.getElementById("connection").dataset.state === "connected");
  const vendor = await open("vendor");
  await converse(vendor.page, "Paul");
  const text = `hello ${Date.now()}`;
  await vendor.page.locator("#composer-text").fill(text);
  await vendor.page.locator("#composer-text").press("Enter");
  if (await provider.page.locator(".tabs").isVisible()) await provider.page.locator('.tabs [data-view="chat"]').click();
  await provider.page.locator("#talks-list button").filter({ hasText: text }).filter({ hasText: "Vera" }).waitFor();
  assert.deepEqual([...vendor.problems, ...provider.problems], []);
});

test("a notice sent by the admin is heard by a driver", async () => {
  const driver = await open("driver");
  await driver.page.waitForFunction(() => document.getElementById("connection").dataset.state === "connected");
  const admin = await open("admin");
  await admin.page.waitForFunction(() => document.getElementById("connection").dataset.state === "connected");
  if (await admin.page.locator(".tabs").isVisible()) await admin.page.locator('.tabs [data-view="notices"]').click();
  await admin.page.locator("#broadcast summary").click();
  await admin.page.locator("#broadcast-form [name=title]").fill("Road closed");
  await admin.page.locator("#broadcast-form [name=body]").fill("Take the ring road.");
  await admin.page.locator("#broadcast-form button[type=submit]").click();
  await driver.page.waitForFunction(() => document.getElementById("toasts").textContent.includes("Road closed"));
  assert.deepEqual([...admin.problems, ...driver.problems], []);
});
