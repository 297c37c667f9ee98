// The driver's view: a switch that streams this device's position, surviving lost connections and reloads.

import { byId, setText, showFacts, showProblem, recall, keep, kmh } from './dom.js';
import { ago, moment } from './time.js';
import { api } from './session.js';
import { FleetMap } from './map.js';
import { loadStreets } from './fleet.js';
import { Outbox } from './outbox.js';
import { Walk } from './walk.js';

const anywhere = { lat: 51.4779, lng: -0.0015 };
const stillRecentMs = 12 * 3_600_000; // sharing that stopped longer ago is not offered to be taken up again

export class Driver {
  #connection;
  #me;
  #map = new FleetMap(byId('drive-canvas'));
  #streets;
  #outbox;
  #watch = null;
  #walkTimer = null;
  #last = null; // the newest position of this page
  #known = null; // the newest that the server had before

  constructor({ connection, me, demo }) {
    this.#connection = connection;
    this.#me = me;
    this.#streets = demo ? loadStreets(this.#map) : Promise.resolve(null);
    this.#outbox = new Outbox({
      connection, userId: me.userId,
      onChange: () => this.#render(), onProblem: (sentence) => showProblem(byId('drive-problem'), sentence),
    });
    connection.on('connect', () => this.#readLastKnown());
    connection.on('disconnect', () => this.#render());
    byId('drive-switch').onclick = () => (this.#on ? this.stop() : this.#start());
    byId('drive-walk').onclick = () => this.#toggleWalk();
    byId('drive-walk').hidden = !demo;
    byId('drive-dismiss').onclick = () => this.#intend(null);
    setInterval(() => this.#render(), 1000);
    this.#takeUpAgain(demo);
    this.#render();
  }

  get #on() { return this.#watch !== null || this.#walkTimer !== null; }

  /** Stops taking positions, because the driver wants it so; those already taken are still sent. */
  stop() {
    this.#halt();
    this.#intend(null);
    this.#render();
  }

  #halt() {
    if (this.#watch !== null) navigator.geolocation.clearWatch(this.#watch);
    clearInterval(this.#walkTimer);
    this.#watch = null;
    this.#walkTimer = null;
  }

  #start() {
    this.#halt();
    showProblem(byId('drive-problem'), '');
    if (!navigator.geolocation || !isSecureContext) {
      showProblem(byId('drive-problem'), 'This browser gives no position here. It needs https, or a local address.');
      return;
    }
    this.#intend('gps');
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
    this.#halt(); // what the driver wants stays as it is: the next load of the page tries again
    this.#render();
    showProblem(byId('drive-problem'), 'The browser was not allowed to read the position. Allow it for this page and switch on again.');
  }

  async #toggleWalk() {
    if (this.#walkTimer !== null) this.stop();
    else await this.#walk();
  }

  async #walk() {
    this.#halt();
    showProblem(byId('drive-problem'), '');
    this.#intend('walk');
    const walk = new Walk(await this.#streets, this.#last ?? await this.#readLastKnown() ?? anywhere);
    const step = () => this.#take(walk.step(1));
    this.#walkTimer = setInterval(step, 1000);
    step();
  }

  // What the driver wants outlives the page: a reload of the tab goes on sharing, and after the page was closed it says
  // that sharing has stopped, and offers to go on.
  #intend(mode) {
    keep(sessionStorage, this.#intention, mode);
    keep(localStorage, this.#intention, mode && { mode, since: Date.now() });
    byId('drive-stopped').hidden = true;
  }

  get #intention() { return `rolecall:sharing:${this.#me.userId}`; }

  #takeUpAgain(demo) {
    const modes = { gps: () => this.#start(), ...(demo && { walk: () => this.#walk() }) };
    const here = modes[recall(sessionStorage, this.#intention)];
    const { mode, since } = recall(localStorage, this.#intention) ?? {};
    if (here) here();
    else if (modes[mode] && Date.now() - since < stillRecentMs) {
      setText(byId('drive-stopped-text'), 'Sharing stopped when this page was closed.');
      byId('drive-resume').onclick = modes[mode];
      byId('drive-stopped').hidden = false;
    }
  }

  async #readLastKnown() {
    const driver = await api(`/drivers/${encodeURIComponent(this.#me.userId)}`).catch(() => null);
    this.#known = driver?.position ?? null;
    if (this.#known && !this.#last) this.#mark(this.#known, 'offline');
    this.#render();
    return this.#known;
  }

  #take(position) {
    showProblem(byId('drive-problem'), '');
    this.#last = position;
    this.#mark(position, 'online');
    this.#outbox.put(position);
    this.#render();
  }

  #mark(position, status) {
    this.#map.moveDriver(this.#me.userId, position, { label: this.#me.username, status });
    this.#map.choose(this.#me.userId);
  }

  #describe() {
    const { waiting } = this.#outbox;
    if (!this.#on) return this.#describeOff(waiting);
    if (!this.#connection.connected) return 'Not connected. Positions are kept and sent later.';
    if (!this.#last) return 'Looking for your position…';
    return waiting > 1 ? 'Sending what was kept…' : 'On. Your company sees your position.';
  }

  // What is true of others' maps: they keep the last place, and show whether its driver is signed in.
  #describeOff(waiting) {
    if (waiting > 0) return 'Off. The last positions are still to be sent.';
    const seen = this.#last ?? this.#known;
    if (!seen) return 'Off. Your company sees that you are signed in, and no position.';
    return `Off. Where you go from here is not sent. Your company sees your last position, of ${moment(seen.ts)}, and that you are signed in.`;
  }

  #render() {
    byId('drive-switch').setAttribute('aria-checked', String(this.#on));
    byId('drive-walk').setAttribute('aria-pressed', String(this.#walkTimer !== null));
    setText(byId('drive-walk'), this.#walkTimer === null ? 'No GPS here? Simulate a walk' : 'Stop the simulated walk');
    setText(byId('drive-state'), this.#describe());
    byId('drive').dataset.on = String(this.#on);
    const last = this.#last;
    const { waiting, counts: { sent, confirmed, rejected, givenUp } } = this.#outbox;
    showFacts(byId('drive-facts'), [
      ['Position', last ? `${last.lat.toFixed(5)}, ${last.lng.toFixed(5)}` : ''],
      ['Taken', last ? ago(last.ts) : ''],
      ['Accuracy', Number.isFinite(last?.accuracy) ? `± ${Math.round(last.accuracy)} m` : ''],
      ['Speed', kmh(last?.speed)],
      ['Sent', sent > 0 ? String(sent) : ''],
      ['Confirmed', sent > 0 ? String(confirmed) : ''],
      ['Waiting', sent > 0 || waiting > 0 ? String(waiting) : ''],
      ['Rejected', rejected > 0 ? String(rejected) : ''],
      ['Given up', givenUp > 0 ? String(givenUp) : ''],
    ]);
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
