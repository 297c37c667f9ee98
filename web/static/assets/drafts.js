// What a person was in the middle of, kept in this tab for a reload or a new sign-in: the conversations that were open,
// what was being written in each, and messages that the server has not confirmed.

import { recall, keep } from './dom.js';

export class Drafts {
  #key;

  /** What one user keeps no other user of the tab sees. */
  constructor(userId) { this.#key = (kind) => `rolecall:${kind}:${userId}`; }

  rooms() {
    const ids = recall(sessionStorage, this.#key('rooms'));
    return Array.isArray(ids) ? ids : [];
  }

  keepRooms(conversations) {
    const ids = [...conversations.values()].filter(({ wanted }) => wanted).map(({ id }) => id);
    keep(sessionStorage, this.#key('rooms'), ids);
  }

  text(roomId) { return this.#texts()[roomId] ?? ''; }

  keepText(roomId, text) {
    const texts = this.#texts();
    if (text) texts[roomId] = text;
    else delete texts[roomId];
    keep(sessionStorage, this.#key('drafts'), texts);
  }

  /** [roomId, entries] of messages that may not have arrived; sent again they arrive once, by their clientId. */
  unsent() { return Object.entries(recall(sessionStorage, this.#key('unsent')) ?? {}); }

  keepUnsent(conversations) {
    const waiting = [...conversations.values()].filter(({ pending }) => pending.length > 0).map(({ id, pending }) => [
      id, pending.map(({ clientId, text, at }) => ({ clientId, text, at })),
    ]);
    keep(sessionStorage, this.#key('unsent'), Object.fromEntries(waiting));
  }

  #texts() { return recall(sessionStorage, this.#key('drafts')) ?? {}; }
}
