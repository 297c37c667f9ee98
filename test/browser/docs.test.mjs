// Reads the contract's page as a stranger would, at the width of a desk and of a phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, startServer } from "./lib/stage.mjs";

const widths = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
let server, browser, address;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
  address = server.url;
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

// read opens one of the documents and notes what a page must not do.
async function read(api, viewport) {
  const page = await (await browser.newContext({ viewport })).newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("request", (request) => /^https?:/.test(request.url()) && new URL(request.url()).origin !== address && problems.push(request.url()));
  await page.goto(`${address}/docs?api=${api}`);
  return { page, problems };
}

// scrollTo scrolls down until a text is drawn, as the renderer draws what comes into view; a second time from the top where
// it came too late.
async function scrollTo(page, text) {
  const main = page.getByRole("main");
  const found = main.getByText(text).first();
  const place = () => main.evaluate((node) => new Promise((drawn) => {
    requestAnimationFrame(() => requestAnimationFrame(() => drawn(node.getBoundingClientRect().top)));
  }));
  await page.mouse.move(page.viewportSize().width / 2, 400);
  let before = await place();
  for (let i = 0; i < 600 && !(await found.isVisible()); i++) {
    await page.mouse.wheel(0, 500);
    const now = await place();
    if (now === before) await page.mouse.wheel(0, -1_000_000);
    before = now;
  }
  await found.scrollIntoViewIfNeeded({ timeout: 1000 });
}

// shot keeps a picture for people to look at, where SCREENSHOT says so.
async function shot(page, name) {
  if (process.env.SCREENSHOT) await page.screenshot({ path: `${process.env.SCREENSHOT}-${name}.png` });
}

for (const [name, viewport] of Object.entries(widths)) {
  test(`the routes at the width of a ${name}`, async () => {
    const { page, problems } = await read("rest", viewport);
    await page.getByRole("heading", { name: "Rolecall REST API" }).waitFor();
    await scrollTo(page, "Only admin.");
    await shot(page, `routes-${name}`);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), viewport.width, "nothing runs off the side");
    assert.deepEqual(problems, []);
  });

  test(`the events at the width of a ${name}`, async () => {
    const { page, problems } = await read("events", viewport);
    await page.getByRole("heading", { name: "Rolecall events" }).waitFor();
    for (const text of ["Say something. At most 10 per 10 s. On / and /chat.", "Only driver. At most 10/s, burst 50; arrays and older positions 50/s, burst 4000.", "tracking:positions"]) {
      await scrollTo(page, text);
    }
    await shot(page, `events-${name}`);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), viewport.width, "nothing runs off the side");
    assert.deepEqual(problems, []);
  });
}

test("a search leads to a route", async () => {
  const { page, problems } = await read("rest", widths.desk);
  await page.getByRole("heading", { name: "Rolecall REST API" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("positions");
  await page.getByRole("dialog").getByText("Send the caller's own positions").waitFor();
  await shot(page, "search");
  assert.deepEqual(problems, []);
});

test("a route is tried from the page", async () => {
  const { page, problems } = await read("rest", widths.desk);
  await page.getByRole("heading", { name: "Rolecall REST API" }).waitFor();
  await page.goto(`${address}/docs?api=rest#rest/tag/server/GET/healthz`);
  await page.getByRole("button", { name: /Test Request.*\/healthz/ }).click();
  const answer = page.waitForResponse((response) => new URL(response.url()).pathname === "/healthz");
  await page.getByRole("button", { name: /^Send Request/ }).click();
  assert.equal((await answer).status(), 200);
  await shot(page, "try");
  assert.deepEqual(problems, []);
});
