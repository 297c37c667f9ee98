// Small helpers for building and updating the page. Text only ever enters as text nodes.

export const byId = (id) => document.getElementById(id);

/** Makes an element. Attributes that are null or false are left out; strings among the children become text. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Sets a node's text, leaving an unchanged one alone so that the browser has nothing to lay out. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes `wanted` the children of a parent, in order, moving only what has to move (focus and selection survive). */
export function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.childNodes]) if (!keep.has(child)) child.remove();
  let next = parent.firstChild;
  for (const node of wanted) {
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
}

/** Fills a definition list with [term, text] pairs; pairs without a text are left out. */
export function showFacts(list, pairs) {
  const shown = pairs.filter(([, text]) => text);
  while (list.children.length > shown.length) list.lastChild.remove();
  while (list.children.length < shown.length) list.append(make('div', {}, make('dt'), make('dd')));
  shown.forEach(([term, text], index) => {
    setText(list.children[index].firstChild, term);
    setText(list.children[index].lastChild, text);
  });
}

/** Shows a sentence in a note, or hides the note when there is none. */
export function showProblem(node, sentence) {
  setText(node, sentence || '');
  node.hidden = !sentence;
}

export function showBadge(node, count) {
  setText(node, count > 99 ? '99+' : String(count));
  node.setAttribute('aria-label', `${count} unread`);
  node.hidden = count === 0;
}

/** Wraps a function so that many calls before the next frame become one. */
export function oncePerFrame(run) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; run(); });
  };
}

export const wait = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

/** An id for idempotent requests. crypto.randomUUID is missing on plain http, where this page also runs. */
export function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const kmh = (metresPerSecond) => (Number.isFinite(metresPerSecond) ? `${Math.round(metresPerSecond * 3.6)} km/h` : '');

/** Reads JSON from a storage of the browser; null where there is none, or what is there cannot be read. */
export function recall(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

/** Keeps a value as JSON, or nothing for null. A storage that is full or forbidden keeps nothing. */
export function keep(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify(value));
  } catch {
    // What is kept here makes a reload more pleasant, and nothing else.
  }
}
