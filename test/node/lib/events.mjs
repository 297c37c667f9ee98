// What a socket has heard, kept from its first moment on, so that no test races with the events it waits for.
import assert from 'node:assert/strict';
import { note } from './contract-log.mjs';
import { NODES } from './engine.mjs';

/** How long a test waits for something before it fails, in milliseconds. */
export const DEADLINE = 20_000;

const recorders = new WeakMap();

class Recorder {
  /** Everything heard, in order: { name, payload, taken }. */
  heard = [];
  #waiting = new Set();

  constructor(socket) {
    socket.onAny((name, payload) => {
      note({ kind: 'event', name, payload });
      this.#hear(name, payload);
    });
    // The client's own events pass by onAny.
    for (const name of ['connect', 'connect_error', 'disconnect']) {
      socket.on(name, (payload) => this.#hear(name, payload));
    }
  }

  #hear(name, payload) {
    const event = { name, payload, taken: false };
    this.heard.push(event);
    for (const waiter of this.#waiting) {
      if (waiter.matches(event)) {
        this.#waiting.delete(waiter);
        event.taken = true;
        waiter.resolve(event);
        return;
      }
    }
  }

  next(names, predicate, timeout) {
    const matches = (event) => !event.taken && names.includes(event.name) && predicate(event.payload);
    const found = this.heard.find(matches);
    if (found) {
      found.taken = true;
      return Promise.resolve(found);
    }
    return new Promise((resolve, reject) => {
      const waiter = { matches };
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter);
        reject(new Error(`no ${names.join(' or ')} within ${timeout} ms; heard: ${this.#summary()}`));
      }, timeout);
      waiter.resolve = (event) => {
        clearTimeout(timer);
        resolve(event);
      };
      this.#waiting.add(waiter);
    });
  }

  #summary() {
    const counts = {};
    for (const { name } of this.heard) counts[name] = (counts[name] ?? 0) + 1;
    return JSON.stringify(counts);
  }
}

/** Starts to keep what a socket hears; to be called before it connects. */
export function record(socket) {
  recorders.set(socket, new Recorder(socket));
  return socket;
}

/**
 * The payload of the first event of that name which no earlier call has taken, already heard or still to come.
 * `connect`, `connect_error` and `disconnect` are waited for in the same way.
 * @param {import('socket.io-client').Socket} socket
 * @param {string} name
 * @param {(payload: any) => boolean} [predicate]
 * @param {number} [timeout] milliseconds
 */
export async function nextEvent(socket, name, predicate = () => true, timeout = DEADLINE) {
  return (await recorders.get(socket).next([name], predicate, timeout)).payload;
}

/**
 * Waits until a socket is told that somebody has come ('online') or gone ('offline'), alone or among many.
 * @returns {Promise<{ userId: string, username: string }>}
 */
export async function nextPresence(socket, change, userId, timeout = DEADLINE) {
  const itsOwn = (payload) => [payload, ...(payload[change] ?? [])].find((person) => person.userId === userId);
  const { payload } = await recorders.get(socket).next([`presence:${change}`, 'presence:changes'], itsOwn, timeout);
  return itsOwn(payload);
}

/** Waits until something holds. */
export async function until(what, holds, timeout = DEADLINE) {
  const deadline = Date.now() + timeout;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

/** Waits until something holds on every node, which the proxy asks in turn. */
export async function onEveryNode(what, holds) {
  await until(what, async () => {
    for (let node = 0; node < NODES; node += 1) if (!(await holds())) return false;
    return true;
  });
}

/** How often a socket has been told so. */
export function presencesHeard(socket, change, userId) {
  const people = [...heard(socket, `presence:${change}`), ...heard(socket, 'presence:changes').flatMap((changes) => changes[change])];
  return people.filter((person) => person.userId === userId).length;
}

/** The first event of any of these names that no earlier call has taken: { name, payload }. */
export function nextOf(socket, names, timeout = DEADLINE) {
  return recorders.get(socket).next(names, () => true, timeout);
}

/** The next `count` events of that name, in the order of arrival. */
export async function nextEvents(socket, name, count, predicate, timeout = DEADLINE) {
  const payloads = [];
  while (payloads.length < count) payloads.push(await nextEvent(socket, name, predicate, timeout));
  return payloads;
}

/** The payloads of all events of that name heard so far. */
export function heard(socket, name) {
  return recorders.get(socket).heard.filter((event) => event.name === name).map((event) => event.payload);
}

/** The names of all events heard so far, without the client's own. */
export function heardNames(socket) {
  const own = ['connect', 'connect_error', 'disconnect'];
  return recorders.get(socket).heard.map((event) => event.name).filter((name) => !own.includes(name));
}

/** Sends an event and resolves to its ack; fails where none comes in time. */
export async function ask(socket, event, ...payload) {
  const ack = await socket.timeout(DEADLINE).emitWithAck(event, ...payload);
  note({ kind: 'ack', name: String(event), payload: ack });
  return ack;
}

/** Sends an event that must succeed and resolves to its ack. */
export async function accepted(socket, event, ...payload) {
  const ack = await ask(socket, event, ...payload);
  assert.equal(ack.status, 'ok', `${event} failed: ${ack.code} ${ack.field ?? ''} ${ack.error}`);
  return ack;
}

/** Sends an event that must fail with this code, and with this field where one is given; resolves to its ack. */
export async function refused(socket, code, field, event, ...payload) {
  const ack = await ask(socket, event, ...payload);
  assertFailure(ack, event);
  assert.equal(ack.code, code, `${event}: ${ack.code} (${ack.field ?? 'no field'}): ${ack.error}`);
  if (field !== undefined) assert.equal(ack.field, field, `${event}: ${ack.error}`);
  return ack;
}

/** Holds a failed ack against its shape. */
export function assertFailure(ack, event) {
  assert.equal(ack.status, 'error', `${event} was accepted: ${JSON.stringify(ack).slice(0, 200)}`);
  assert.equal(typeof ack.code, 'string');
  assert.ok(typeof ack.error === 'string' && ack.error !== '', 'a failure says why in words');
  const known = ['status', 'error', 'code', 'retryAfterMs', 'field'];
  assert.deepEqual(Object.keys(ack).filter((key) => !known.includes(key)), []);
}

/** What a node is told of by a hint alone it reads from the store. That nothing comes of it only time shows: milliseconds. */
const READ_BEHIND = 250;

/** By address, what has each node of a server handle what the others had told by then. */
const catchUps = new Map();

/** Has sockets of several nodes behind an address settle by it. */
export function settleBy(url, catchUp) { catchUps.set(url, catchUp); }

/**
 * Waits until a socket has heard everything the server had sent it before now: the answer to a harmless event comes
 * behind it. With this a test proves that something has not been heard.
 */
export async function settle(socket) {
  const catchUp = catchUps.get(socket.io.uri);
  if (catchUp) {
    await catchUp();
    await new Promise((resolve) => { setTimeout(resolve, READ_BEHIND); });
    await catchUp();
  }
  await accepted(socket, 'auth:refresh', { token: socket.auth.token });
}
