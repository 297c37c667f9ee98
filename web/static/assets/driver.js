// The driver's view: a switch that streams this device's position, surviving lost connections and reloads.

import { byId, setText, showFacts, showProblem, wait, age, kmh } from './dom.js';
import { api } from './session.js';
import { FleetMap } from './map.js';
import { loadStreets } from './fleet.js';
import { Walk } from './walk.js';

const batchLimit = 500; // positions in one tracking:update
const keepAtMost = 20_000; // unsent positions; beyond it the oldest are given up
const anywhere = { lat: 51.4779, lng: -0.0015 };

export class Driver {
  #connection;
  #me;
  #map = new FleetMap(byId('drive-canvas'));
  #streets;
  #watch = null;
  #walkTimer = null;
  #unsent = [];
  #sending = false;
  #batchSize = batchLimit;
  #counts = { fixes: 0, sent: 0, confirmed: 0, rejected: 0, givenUp: 0 };
  #last = null;

  constructor({ connection, me }) {
    this.#connection = connection;
    this.#me = me;
    this.#streets = loadStreets(this.#map);
    this.#restoreUnsent();
    connection.on('connect', () => this.#send());
    connection.on('disconnect', () => this.#render());
    byId('drive-switch').onclick = () => (this.#on ? this.stop() : this.#start());
    byId('drive-walk').onclick = () => this.#toggleWalk();
    addEventListener('pagehide', () => this.#keepUnsent());
    document.addEventListener('visibilitychange', () => { if (document.hidden) this.#keepUnsent(); });
    setInterval(() => this.#render(), 1000);
    this.#render();
  }

  get #on() { return this.#watch !== null || this.#walkTimer !== null; }

  /** Stops taking positions; those already taken are still sent. */
  stop() {
    if (this.#watch !== null) navigator.geolocation.clearWatch(this.#watch);
    clearInterval(this.#walkTimer);
    this.#watch = null;
    this.#walkTimer = null;
    this.#render();
  }

  #start() {
    this.stop();
    showProblem(byId('drive-problem'), '');
    if (!navigator.geolocation || !isSecureContext) {
      showProblem(byId('drive-problem'), 'This browser gives no position here. It needs https, or a local address.');
      return;
    }
    this.#watch = navigator.geolocation.watchPosition(
      ({ coords, timestamp }) => this.#take(fixFrom(coords, timestamp)),
      (error) => this.#fail(error),
      { enableHighAccuracy: true, maximumAge: 0, timeout: 30_000 },
    );
    this.#render();
  }

  #fail({ code, PERMISSION_DENIED }) {
    if (code !== PERMISSION_DENIED) {
      showProblem(byId('drive-problem'), 'No position yet. Still looking…');
      return;
    }
    this.stop();
    showProblem(byId('drive-problem'), 'The browser was not allowed to read the position. Allow it for this page and switch on again.');
  }

  async #toggleWalk() {
    const walking = this.#walkTimer !== null;
    this.stop();
    if (walking) return;
    showProblem(byId('drive-problem'), '');
    const walk = new Walk(await this.#streets, await this.#lastKnown());
    const step = () => this.#take(walk.step(1));
    this.#walkTimer = setInterval(step, 1000);
    step();
  }

  async #lastKnown() {
    if (this.#last) return this.#last;
    const driver = await api(`/drivers/${encodeURIComponent(this.#me.userId)}`).catch(() => null);
    return driver?.position ?? anywhere;
  }

  #take(position) {
    showProblem(byId('drive-problem'), '');
    this.#last = position;
    this.#counts.fixes += 1;
    this.#unsent.push(position);
    if (this.#unsent.length > keepAtMost) {
      this.#counts.givenUp += this.#unsent.length - keepAtMost;
      this.#unsent.splice(0, this.#unsent.length - keepAtMost);
    }
    this.#map.moveDriver(this.#me.userId, position, { label: this.#me.username, status: 'online' });
    this.#map.choose(this.#me.userId);
    this.#render();
    this.#send();
  }

  /** Sends what waits in batches, oldest first, each only after the one before it was answered. */
  async #send() {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#unsent.length > 0 && this.#connection.connected) {
      const batch = this.#unsent.slice(0, this.#batchSize);
      this.#counts.sent += batch.length;
      this.#render();
      try {
        const { accepted, rejected } = await this.#connection.call('tracking:update', batch.length === 1 ? batch[0] : batch);
        this.#settle(batch, accepted ?? batch.length, rejected?.length ?? 0);
        this.#batchSize = batchLimit;
      } catch (error) {
        this.#counts.sent -= batch.length;
        await this.#recover(batch, error);
      }
    }
    this.#sending = false;
    this.#render();
  }

  #settle(batch, accepted, rejected) {
    const done = new Set(batch); // the queue may have lost its oldest entries meanwhile
    this.#unsent = this.#unsent.filter((position) => !done.has(position));
    this.#counts.confirmed += accepted;
    this.#counts.rejected += rejected;
  }

  async #recover(batch, error) {
    if (error.code === 'too_large' && this.#batchSize > 1) this.#batchSize = Math.ceil(this.#batchSize / 2);
    else if (error.code === 'invalid_payload' || error.code === 'too_large') this.#settle(batch, 0, batch.length);
    else await wait(error.retryAfterMs ?? 2000);
    if (error.code !== 'offline' && error.code !== 'rate_limited') showProblem(byId('drive-problem'), error.message);
  }

  #render() {
    const on = this.#on;
    byId('drive-switch').setAttribute('aria-checked', String(on));
    byId('drive-walk').setAttribute('aria-pressed', String(this.#walkTimer !== null));
    setText(byId('drive-walk'), this.#walkTimer === null ? 'No GPS here? Simulate a walk' : 'Stop the simulated walk');
    const waiting = this.#unsent.length;
    const { sent, confirmed, rejected, givenUp } = this.#counts;
    let state = 'Off. Nobody sees where you are going.';
    if (on && !this.#connection.connected) state = 'Not connected. Positions are kept and sent later.';
    else if (on && !this.#last) state = 'Looking for your position…';
    else if (on) state = waiting > 1 ? 'Sending what was kept…' : 'On. Your company sees your position.';
    else if (waiting > 0) state = 'Off. The last positions are still to be sent.';
    setText(byId('drive-state'), state);
    byId('drive').dataset.on = String(on);
    const last = this.#last;
    showFacts(byId('drive-facts'), [
      ['Last fix', last ? `${last.lat.toFixed(5)}, ${last.lng.toFixed(5)}` : 'none yet'],
      ['Taken', last ? `${age(last.ts)}${age(last.ts) === 'now' ? '' : ' ago'}` : ''],
      ['Accuracy', Number.isFinite(last?.accuracy) ? `± ${Math.round(last.accuracy)} m` : ''],
      ['Speed', kmh(last?.speed)],
      ['Sent', String(sent)],
      ['Confirmed', String(confirmed)],
      ['Waiting', String(waiting)],
      ['Rejected', rejected > 0 ? String(rejected) : ''],
      ['Given up', givenUp > 0 ? String(givenUp) : ''],
    ]);
  }

  get #storageKey() { return `rolecall:unsent:${this.#me.userId}`; }

  #keepUnsent() {
    try {
      if (this.#unsent.length > 0) localStorage.setItem(this.#storageKey, JSON.stringify(this.#unsent));
      else localStorage.removeItem(this.#storageKey);
    } catch {
      // A full or forbidden storage costs the points only if the page is closed before they are sent.
    }
  }

  #restoreUnsent() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.#storageKey));
      if (Array.isArray(kept)) this.#unsent = kept;
      localStorage.removeItem(this.#storageKey);
    } catch {
      // As above: nothing kept.
    }
  }
}

/** A position as the wire wants it. What the device does not know (null, NaN) is left out. */
function fixFrom(coords, timestamp) {
  const position = { lat: coords.latitude, lng: coords.longitude, ts: Math.round(timestamp) };
  for (const field of ['heading', 'speed', 'accuracy', 'altitude']) {
    if (Number.isFinite(coords[field])) position[field] = coords[field];
  }
  return position;
}
