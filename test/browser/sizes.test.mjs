// Everybody at every size: on a phone, a tablet and a desk, by day and by night, each role signs in, finds a person, talks
// to them and reads a notice. SCREENSHOTS names a folder for pictures to look at.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask, connected, converse, launch, open, say, show, startDemo } from "./lib/stage.mjs";
import { assertAccessible, assertFits } from "./lib/fit.mjs";

const sizes = {
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
  tablet: { viewport: { width: 768, height: 1024 }, hasTouch: true, isMobile: true },
  desk: { viewport: { width: 1280, height: 800 } },
};
// Each role, the person its user looks for, and who they are.
const roles = {
  admin: { user: "ada", finds: "Paul", home: "#map" },
  company: { user: "carl", finds: "Dora", home: "#map" },
  driver: { user: "dora", finds: "Carl", home: "#drive" },
  provider: { user: "paul", finds: "Vera", home: "#chat" },
  vendor: { user: "vera", finds: "Paul", home: "#chat" },
};
const examined = new Set(["admin", "driver"]); // axe takes its time, and these two have what the others have
let demo, browser;

before(async () => {
  [demo, browser] = await Promise.all([startDemo("-demo-drivers", "8"), launch()]);
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const adminToken = () => demo.links.get("admin").split("#token=")[1];

async function shot(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
}

test("everybody at every size", { concurrency: 2 }, async (t) => {
  const days = [];
  for (const [size, device] of Object.entries(sizes)) {
    for (const colorScheme of ["light", "dark"]) {
      for (const role of Object.keys(roles)) {
        days.push(t.test(`${role}, ${size}, ${colorScheme}`, () => spendADay(role, size, { ...device, colorScheme })));
      }
    }
  }
  await Promise.all(days);
});

async function spendADay(role, size, device) {
  const { user, finds, home } = roles[role];
  const name = `${size}-${device.colorScheme}-${role}`;
  const { page, problems } = await open(browser, demo.links.get(role), device);
  const look = async (view) => {
    await shot(page, `${name}-${view}`);
    await assertFits(page, `${name}: ${view}`, { touch: device.hasTouch === true });
  };
  await connected(page);
  await page.locator(home).waitFor();
  if (home === "#map") await page.locator("#drivers-list li").first().waitFor({ state: "attached" });
  await look("home");

  await show(page, "chat");
  await look("people");
  await converse(page, finds);
  await say(page, `Hello from ${name}`);
  await look("thread");
  if (examined.has(role)) await assertAccessible(page, `${name}: thread`);

  const title = `For ${name}`;
  await ask(demo.url, adminToken(), "POST", "/notices", {
    title, body: "The ring road is closed until noon.", severity: "warning", audience: { users: [user] }, requireAck: true,
  });
  await page.locator("#toasts .toast, #notices-list .notice:visible").filter({ hasText: title }).waitFor();
  await look("toast");
  await show(page, "notices");
  assert.equal(await page.locator("#toasts .toast").count(), 0, "what the inbox shows needs no toast");
  assert.equal(await page.locator(".tabs-side [data-shown]").count(), 1, "one of the two tabs is the one that shows");
  const notice = page.locator("#notices-list .notice").filter({ hasText: title });
  await notice.waitFor();
  await look("notices");
  if (examined.has(role)) await assertAccessible(page, `${name}: notices`);
  await notice.getByRole("button", { name: "Acknowledge" }).click();
  await notice.getByText("Acknowledged").waitFor();

  if (home === "#map") {
    await show(page, "drivers");
    await look("drivers");
    await page.locator("#drivers-list button").first().click();
    await page.locator("#card").waitFor();
    await look("card");
  }
  assert.deepEqual(problems, [], "nothing in the console");
  await page.context().close();
}
