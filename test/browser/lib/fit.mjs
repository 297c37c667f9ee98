// What a page has to be at any size: within the screen, readable, large enough to be touched, and usable without seeing it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Holds what shows of a page within the screen, and fingers' targets at 44 pixels where fingers are meant. */
export async function assertFits(page, what, { touch = false } = {}) {
  assert.deepEqual(await page.evaluate(misfits, touch), [], what);
}

/** Holds the page to axe's rules: contrast, names, roles, labels. */
export async function assertAccessible(page, what) {
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { violations: found } = await window.axe.run(document, { resultTypes: ["violations"] });
    return found.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(" | ")}`);
  });
  assert.deepEqual(violations, [], what);
}

// Runs in the page.
function misfits(touch) {
  const found = [];
  const name = (node) => `${node.tagName.toLowerCase()}#${node.id}.${node.className?.baseVal ?? node.className}`;
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth || root.scrollHeight > innerHeight) {
    found.push(`the page scrolls: ${root.scrollWidth} × ${root.scrollHeight} of ${innerWidth} × ${innerHeight}`);
  }
  // What leaves the screen sideways is not excused by a scrolling ancestor; what a box cuts off with an ellipsis is.
  for (const node of document.querySelectorAll(".scroll, .rows, .panel, .drive-main, .toast, .notice, .message, .card, .top, .tabs")) {
    if (node.offsetParent === null) continue;
    if (node.scrollWidth > node.clientWidth + 1) found.push(`${name(node)} scrolls sideways: ${node.scrollWidth} of ${node.clientWidth}`);
    const box = node.getBoundingClientRect();
    if (box.width > 0 && (box.left < -1 || box.right > innerWidth + 1)) found.push(`${name(node)} leaves the screen: ${box.left} to ${box.right}`);
  }
  for (const node of document.querySelectorAll(".view:not(.absent), .tabs")) {
    if (node.offsetParent === null) continue;
    const box = node.getBoundingClientRect();
    if (box.width > 0 && (box.width < 200 || box.bottom > innerHeight + 1)) found.push(`${name(node)} has ${box.width} × ${box.height} pixels down to ${box.bottom}`);
  }
  if (!touch) return found;
  for (const node of document.querySelectorAll("button, a.button, summary, select, textarea, input:not([type=radio], [type=checkbox]), .options label")) {
    const box = node.getBoundingClientRect();
    if (!node.checkVisibility() || box.width === 0) continue; // what a closed disclosure holds has a box, and does not show
    if (box.width < 44 || box.height < 43.5) found.push(`${name(node)} “${node.textContent.slice(0, 20)}” is ${box.width} × ${box.height}, too small to touch`);
  }
  return found;
}
