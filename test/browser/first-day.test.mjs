// What somebody does first in a fresh demo: write to a person who has never signed in, and make a group.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as stage from "./lib/stage.mjs";

let demo, browser;

before(async () => {
  [demo, browser] = await Promise.all([stage.startDemo(), stage.launch()]);
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const row = (page, text) => page.locator("#talks-list button").filter({ hasText: text });
const lastMessage = (page) => page.locator("#thread-messages .message").last();

// toList shows the list of conversations, which an open one may cover.
const toList = async (page) => {
  if (await page.locator("#thread-back").isVisible()) await page.locator("#thread-back").click();
};

test("what an admin begins with a vendor who has never signed in, the vendor finds, reads and answers", async () => {
  const admin = await stage.open(browser, demo.links.get("admin"));
  await stage.connected(admin.page);
  await stage.show(admin.page, "chat");
  await admin.page.locator("#talks-search").fill("Vera");
  await row(admin.page, "Vera").click();
  await stage.say(admin.page, "Welcome, Vera.");
  await stage.say(admin.page, "Can you open on Sundays?");

  await toList(admin.page);
  await admin.page.getByRole("button", { name: "New group…" }).click();
  const dialog = admin.page.locator("#group-dialog");
  await dialog.getByLabel("Name of the group").fill("Sunday shops");
  await dialog.getByRole("button", { name: "Make the group" }).click();
  await dialog.getByText("Choose who is to be in the group.").waitFor();
  for (const name of ["Vera", "Paul"]) {
    await dialog.getByPlaceholder("Find people to add").fill(name);
    await dialog.locator("#group-found button").filter({ hasText: name }).click();
  }
  await dialog.getByRole("button", { name: "Make the group" }).click();
  await admin.page.locator("#thread-title").filter({ hasText: "Sunday shops" }).waitFor();
  await stage.say(admin.page, "Hello, both of you.");

  const vendor = await stage.open(browser, demo.links.get("vendor"));
  await stage.connected(vendor.page);
  await row(vendor.page, "Sunday shops").filter({ hasText: "Hello, both of you." }).locator(".badge").filter({ hasText: "1" }).waitFor();
  const direct = row(vendor.page, "Can you open on Sundays?");
  await direct.locator(".badge").filter({ hasText: "2" }).waitFor();
  await direct.click();
  await vendor.page.locator("#thread-messages").filter({ hasText: "Welcome, Vera." }).waitFor();

  await toList(admin.page);
  await row(admin.page, "Can you open on Sundays?").click();
  await lastMessage(admin.page).filter({ hasText: "Can you open on Sundays?" }).filter({ hasText: "read" }).waitFor();
  await stage.say(vendor.page, "From ten to four.");
  await lastMessage(admin.page).filter({ hasText: "From ten to four." }).waitFor();
  await toList(admin.page);
  await row(admin.page, "From ten to four.").waitFor();
  await lastMessage(vendor.page).filter({ hasText: "read" }).waitFor();
  await vendor.page.reload();
  await stage.connected(vendor.page);
  await row(vendor.page, "From ten to four.").locator(".badge:not([hidden])").waitFor({ state: "detached" });
  await row(vendor.page, "Sunday shops").locator(".badge").filter({ hasText: "1" }).waitFor();
  assert.deepEqual([...admin.problems, ...vendor.problems], []);
});
