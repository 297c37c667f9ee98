// Positions on their way to the server: in order, in batches, each confirmed before the next, kept while there is no connection.

import { wait, recall, keep } from './dom.js';

const batchLimit = 500; // positions in one tracking:update
const keepAtMost = 20_000; // unsent positions; beyond it the oldest are given up

export class Outbox {
  counts = { sent: 0, confirmed: 0, rejected: 0, givenUp: 0 };
  #connection;
  #key;
  #onChange;
  #onProblem;
  #unsent = [];
  #sending = false;
  #batchSize = batchLimit;

  /** `onChange` hears that a count has changed; `onProblem` a sentence for the driver. */
  constructor({ connection, userId, onChange, onProblem }) {
    this.#connection = connection;
    this.#key = `rolecall:unsent:${userId}`;
    this.#onChange = onChange;
    this.#onProblem = onProblem;
    const kept = recall(localStorage, this.#key);
    if (Array.isArray(kept)) this.#unsent = kept;
    keep(localStorage, this.#key, null);
    connection.on('connect', () => this.#send());
    addEventListener('pagehide', () => this.#keep());
    document.addEventListener('visibilitychange', () => { if (document.hidden) this.#keep(); });
  }

  get waiting() { return this.#unsent.length; }

  put(position) {
    this.#unsent.push(position);
    if (this.#unsent.length > keepAtMost) {
      this.counts.givenUp += this.#unsent.length - keepAtMost;
      this.#unsent.splice(0, this.#unsent.length - keepAtMost);
    }
    this.#send();
  }

  /** Sends what waits in batches, oldest first, each only after the one before it was answered. */
  async #send() {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#unsent.length > 0 && this.#connection.connected) {
      const batch = this.#unsent.slice(0, this.#batchSize);
      this.counts.sent += batch.length;
      this.#onChange();
      try {
        const { accepted, rejected } = await this.#connection.call('tracking:update', batch.length === 1 ? batch[0] : batch);
        this.#settle(batch, accepted ?? batch.length, rejected?.length ?? 0);
        this.#batchSize = batchLimit;
      } catch (error) {
        this.counts.sent -= batch.length;
        await this.#recover(batch, error);
      }
    }
    this.#sending = false;
    this.#onChange();
  }

  #settle(batch, accepted, rejected) {
    const done = new Set(batch); // the queue may have lost its oldest entries meanwhile
    this.#unsent = this.#unsent.filter((position) => !done.has(position));
    this.counts.confirmed += accepted;
    this.counts.rejected += rejected;
  }

  async #recover(batch, error) {
    if (error.code === 'too_large' && this.#batchSize > 1) this.#batchSize = Math.ceil(this.#batchSize / 2);
    else if (error.code === 'invalid_payload' || error.code === 'too_large') this.#settle(batch, 0, batch.length);
    else await wait(error.retryAfterMs ?? 2000);
    if (error.code !== 'offline' && error.code !== 'rate_limited') this.#onProblem(error.message);
  }

  #keep() { keep(localStorage, this.#key, this.#unsent.length > 0 ? this.#unsent : null); }
}
