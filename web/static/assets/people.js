// The people this user may talk to, and whether they are online.

import { wait } from './dom.js';
import { api } from './session.js';

const gatherMs = 100; // names asked for within this time are asked for together
const mostAtOnce = 50;

/** Text as it is compared: composed, and in one case. */
export const folded = (text) => text.normalize('NFKC').toLowerCase();

// What shows as nothing: white space, controls and formats, and letters that are drawn empty.
const nothing = /^[\s\p{C}\u034f\u115f\u1160\u2800\u3164\uffa0]*$/u;

/** A name as it is shown: the id in its place where it would show as nothing. */
export const shownName = (name, id) => (name && !nothing.test(name) ? name : id);

export class People {
  #connection;
  #known = new Map();
  #listeners = new Set();
  #asked = new Set(); // ids whose names have been asked for
  #queue = []; // those among them that the server has not been asked about yet

  constructor(connection, me) {
    this.#connection = connection;
    this.me = me;
    connection.on('presence:list', (people) => this.#learn(people));
    connection.on('presence:online', (person) => this.#learn([{ ...person, online: true }]));
    connection.on('presence:offline', (person) => this.#learn([gone(person)]));
    connection.on('presence:changes', ({ online = [], offline = [] }) => this.#learn([
      ...offline.map(gone), ...online.map((person) => ({ ...person, online: true })),
    ]));
  }

  onChange(listener) { this.#listeners.add(listener); }

  get(userId) { return this.#known.get(userId); }

  /** A person's name; their id until it is known, which is then asked for. */
  nameOf(userId) {
    const name = this.#known.get(userId)?.username;
    if (name === undefined) this.#ask(userId);
    return name ?? userId;
  }

  /** Asks the server for people whose name matches; they join those already known. */
  async search(query) {
    const { items } = await api(`/users?limit=50${query ? `&q=${encodeURIComponent(query)}` : ''}`);
    this.#learn(items);
  }

  /** Known people, the user excepted, whose name or id contains the query: online ones first, then by name. */
  matching(query, most) {
    const wanted = folded(query);
    return [...this.#known.values()]
      .filter(({ userId, username }) => userId !== this.me.userId
        && (folded(username).includes(wanted) || folded(userId).includes(wanted)))
      .sort((a, b) => Boolean(b.online) - Boolean(a.online) || a.username.localeCompare(b.username))
      .slice(0, most);
  }

  async #ask(userId) {
    if (this.#asked.has(userId)) return;
    this.#asked.add(userId);
    this.#queue.push(userId);
    if (this.#queue.length > 1) return;
    await wait(gatherMs);
    while (this.#queue.length > 0) {
      const userIds = this.#queue.splice(0, mostAtOnce);
      try {
        this.#learn((await this.#connection.call('presence:list', { userIds })).users);
      } catch {
        for (const id of userIds) this.#asked.delete(id); // asked for again when the name is next wanted
      }
    }
  }

  #learn(people) {
    for (const person of Array.isArray(people) ? people : people?.users ?? []) {
      const known = this.#known.get(person.userId);
      const username = shownName(person.username ?? known?.username, person.userId);
      this.#known.set(person.userId, { ...known, ...person, username });
    }
    for (const listener of this.#listeners) listener();
  }
}

const gone = (person) => ({ ...person, online: false, lastSeen: Date.now() });
