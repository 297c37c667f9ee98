// Starts the demo as a newcomer would and looks at it in a real browser.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import * as stage from "./lib/stage.mjs";

let demo, browser;

before(async () => {
  [demo, browser] = await Promise.all([stage.startDemo(), stage.launch()]);
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

afterEach(() => stage.closeAll(browser));

const open = (role) => stage.open(browser, demo.links.get(role));

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
    await stage.connected(page);
    assert.deepEqual(problems, []);
  });
}

test("a message typed by one is read by the other, markup and all", async () => {
  const vendor = await open("vendor");
  const provider = await open("provider");
  await stage.converse(vendor.page, "Paul (");
  await stage.converse(provider.page, "Vera (");
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
  await stage.connected(provider.page);
  const vendor = await open("vendor");
  await stage.converse(vendor.page, "Paul (");
  const text = `hello ${Date.now()}`;
  await vendor.page.locator("#composer-text").fill(text);
  await vendor.page.locator("#composer-text").press("Enter");
  await provider.page.locator("#talks-list button").filter({ hasText: text }).filter({ hasText: "Vera" }).waitFor();
  assert.deepEqual([...vendor.problems, ...provider.problems], []);
});

test("a notice sent by the admin is heard by a driver", async () => {
  const driver = await open("driver");
  await stage.connected(driver.page);
  const admin = await open("admin");
  await stage.connected(admin.page);
  await stage.show(admin.page, "notices");
  await admin.page.locator("#broadcast summary").click();
  await admin.page.locator("#broadcast-form [name=title]").fill("Road closed");
  await admin.page.locator("#broadcast-form [name=body]").fill("Take the ring road.");
  await admin.page.locator("#broadcast-form button[type=submit]").click();
  await driver.page.waitForFunction(() => document.getElementById("toasts").textContent.includes("Road closed"));
  assert.deepEqual([...admin.problems, ...driver.problems], []);
});
