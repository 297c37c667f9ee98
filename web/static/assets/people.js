// The people this user may talk to, and whether they are online.

import { api } from './session.js';

export class People {
  #known = new Map();
  #listeners = new Set();

  constructor(connection, me) {
    this.me = me;
    connection.on('presence:list', (people) => this.#learn(people));
    connection.on('presence:online', (person) => this.#learn([{ ...person, online: true }]));
    connection.on('presence:offline', (person) => this.#learn([{ ...person, online: false, lastSeen: Date.now() }]));
  }

  onChange(listener) { this.#listeners.add(listener); }

  get(userId) { return this.#known.get(userId); }

  nameOf(userId) { return this.#known.get(userId)?.username ?? userId; }

  /** Asks the server for people whose name matches; they join those already known. */
  async search(query) {
    const { items } = await api(`/users?limit=50${query ? `&q=${encodeURIComponent(query)}` : ''}`);
    this.#learn(items);
  }

  /** Known people, the user excepted, whose name or id contains the query: online ones first, then by name. */
  matching(query, most) {
    const wanted = query.toLowerCase();
    return [...this.#known.values()]
      .filter(({ userId, username }) => userId !== this.me.userId
        && (username.toLowerCase().includes(wanted) || userId.toLowerCase().includes(wanted)))
      .sort((a, b) => Boolean(b.online) - Boolean(a.online) || a.username.localeCompare(b.username))
      .slice(0, most);
  }

  #learn(people) {
    for (const person of Array.isArray(people) ? people : people?.users ?? []) {
      const known = this.#known.get(person.userId);
      this.#known.set(person.userId, { username: person.userId, ...known, ...person });
    }
    for (const listener of this.#listeners) listener();
  }
}
