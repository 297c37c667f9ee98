// The fleet as admins and company staff see it: a list, a map, and a card for the selected driver.

import { byId, make, setText, arrange, showFacts, showProblem, oncePerFrame, wait, kmh } from './dom.js';
import { ago } from './time.js';
import { api, listPages } from './session.js';
import { folded, shownName } from './people.js';
import { FleetMap } from './map.js';

const trailMs = 3_600_000;
const statusOrder = { online: 0, stale: 1, off_duty: 2, offline: 3 };
const statusTexts = { online: 'online', stale: 'no news', off_duty: 'off duty', offline: 'offline' };
const namelessAtOnce = 10; // more newcomers than this are looked up by reading the whole list
const newcomerTries = 5; // a driver is heard of a moment before the list has them
const newcomerMs = 400;

/** Loads the demonstration's streets onto a map, and returns them; null where they cannot be had. */
export async function loadStreets(map) {
  const response = await fetch('/demo/streets.geojson').catch(() => null);
  const streets = response?.ok ? await response.json().catch(() => null) : null;
  if (streets) map.setStreets(streets);
  return streets;
}

export class Fleet {
  #drivers = new Map();
  #rows = new Map();
  #chosen = null;
  #map;
  #loading = null;
  #loaded = false;
  #nameless = new Map(); // ids of drivers first seen while the page is open → which try to find their names is next
  #lookingUp = false;
  #arrangeSoon = oncePerFrame(() => this.#arrangeList());

  /** `onMessage` hears the driver id that the user wants to write to; `onShowMap` that the map is wanted. */
  constructor({ connection, people, me, demo, onMessage, onShowMap }) {
    this.#map = new FleetMap(byId('map-canvas'), {
      memory: `rolecall:map:${me.userId}`,
      onSelect: (id) => this.#choose(id),
      onFollow: (on) => byId('card-follow').setAttribute('aria-pressed', String(on)),
    });
    this.onShowMap = onShowMap;
    connection.on('connect', () => this.#load());
    connection.on('tracking:snapshot', ({ positions, statuses }) => this.#restore(positions, statuses));
    connection.on('tracking:positions', ({ positions }) => this.#moveAll(positions));
    connection.on('tracking:status', (change) => this.#setStatus(change));
    people.onChange(() => this.#rename(people));
    byId('map-in').onclick = () => this.#map.zoom(1.6);
    byId('map-out').onclick = () => this.#map.zoom(1 / 1.6);
    byId('map-fit').onclick = () => this.#map.fit();
    byId('card-close').onclick = () => this.#choose(null);
    byId('card-follow').onclick = (event) => this.#map.follow(event.target.getAttribute('aria-pressed') !== 'true');
    byId('card-message').onclick = () => onMessage(this.#chosen);
    byId('drivers-search').oninput = this.#arrangeSoon;
    byId('drivers-list').onkeydown = moveAlongRows;
    setInterval(() => this.#tick(), 1000);
    if (demo) loadStreets(this.#map);
  }

  /** Reads the list of drivers; the newest request wins over one still under way. */
  async #load() {
    const mine = {};
    this.#loading = mine;
    const asked = performance.now();
    try {
      for await (const items of listPages('/drivers?limit=1000')) {
        if (this.#loading !== mine) return;
        for (const driver of items) this.#learn(driver, asked);
        this.#arrangeSoon();
      }
      this.#loaded = true;
      this.#map.forgetEmptyView();
    } catch (error) {
      setText(byId('drivers-count'), error.message);
    } finally {
      if (this.#loading === mine) this.#loading = null;
    }
    this.#arrangeSoon();
  }

  // What was told while an answer was under way is newer than the answer.
  #learn({ position, status, ...facts }, asked) {
    const driver = this.#driver(facts.driverId);
    Object.assign(driver, facts, { username: shownName(facts.username, facts.driverId), named: true });
    if (driver.toldAt < asked) driver.status = status;
    this.#nameless.delete(driver.driverId);
    if (position) this.#move(position);
    this.#map.setStatus(driver.driverId, driver.status);
    this.#map.setLabel(driver.driverId, driver.username);
  }

  #driver(driverId) {
    let driver = this.#drivers.get(driverId);
    if (!driver) {
      driver = { driverId, username: driverId, status: 'offline', named: false, toldAt: 0 };
      this.#drivers.set(driverId, driver);
      this.#nameless.set(driverId, 1);
      this.#lookUp();
    }
    return driver;
  }

  /** Finds out the names of drivers who were heard of before the list told of them. */
  async #lookUp() {
    if (this.#lookingUp) return;
    this.#lookingUp = true;
    while (this.#nameless.size > 0) {
      await wait(newcomerMs * Math.max(...this.#nameless.values()));
      if (this.#loading) continue; // the list that is being read has most of them
      const ids = [...this.#nameless.keys()];
      if (ids.length > namelessAtOnce) await this.#load();
      else for (const id of ids) await this.#lookUpOne(id);
      for (const [id, tries] of this.#nameless) {
        if (tries < newcomerTries) this.#nameless.set(id, tries + 1);
        else this.#nameless.delete(id);
      }
      this.#arrangeSoon();
    }
    this.#lookingUp = false;
  }

  async #lookUpOne(driverId) {
    const asked = performance.now();
    try {
      this.#learn(await api(`/drivers/${encodeURIComponent(driverId)}`), asked);
    } catch {
      // Not known yet, or not answered: the next try asks again.
    }
  }

  // A snapshot may come in several events. A driver whom none of them gives a status is offline until told otherwise.
  #restore(positions, statuses) {
    this.#moveAll(positions ?? []);
    const list = Array.isArray(statuses) ? statuses : Object.entries(statuses ?? {}).map(([driverId, status]) => ({ driverId, status }));
    for (const change of list) this.#setStatus(change);
  }

  #moveAll(positions) {
    const before = this.#drivers.size;
    for (const position of positions) this.#move(position);
    if (this.#drivers.size !== before) this.#arrangeSoon();
  }

  #move(position) {
    const driver = this.#driver(position.driverId);
    if (driver.position && driver.position.ts > position.ts) return;
    driver.position = position;
    this.#map.moveDriver(driver.driverId, position, { label: driver.username, status: driver.status });
  }

  #setStatus({ driverId, status, username, companyId }) {
    const driver = this.#driver(driverId);
    Object.assign(driver, { status, toldAt: performance.now(), companyId: companyId ?? driver.companyId });
    if (username) {
      Object.assign(driver, { username: shownName(username, driverId), named: true });
      this.#nameless.delete(driverId);
    }
    this.#map.setStatus(driverId, status);
    this.#map.setLabel(driverId, driver.username);
    this.#arrangeSoon();
  }

  #rename(people) {
    for (const driver of this.#drivers.values()) {
      const known = people.get(driver.driverId);
      if (driver.named || !known) continue;
      driver.username = known.username;
      this.#map.setLabel(driver.driverId, driver.username);
      this.#arrangeSoon();
    }
  }

  #row(driver) {
    let row = this.#rows.get(driver.driverId);
    if (!row) {
      const button = make('button', { type: 'button', class: 'row', onclick: () => this.#choose(driver.driverId, true) },
        make('span', { class: 'dot' }),
        make('span', { class: 'grow' }, make('strong', { dir: 'auto' }), make('small', { class: 'muted' })),
        make('span', { class: 'speed' }));
      row = make('li', {}, button);
      this.#rows.set(driver.driverId, row);
    }
    return row;
  }

  #fillRow(driver) {
    const button = this.#row(driver).firstChild;
    const [dot, names, speed] = button.children;
    if (dot.dataset.status !== driver.status) dot.dataset.status = driver.status;
    setText(names.firstChild, driver.username);
    const seen = driver.position ? ago(driver.position.ts) : 'no position yet';
    setText(names.lastChild, driver.status === 'online' ? seen : `${statusTexts[driver.status] ?? driver.status} · ${seen}`);
    setText(speed, driver.status === 'online' ? kmh(driver.position?.speed) : '');
    if (driver.driverId === this.#chosen) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }

  #arrangeList() {
    const wanted = folded(byId('drivers-search').value.trim());
    const all = [...this.#drivers.values()];
    const shown = all
      .filter(({ username, driverId }) => folded(username).includes(wanted) || folded(driverId).includes(wanted))
      .sort((a, b) => (statusOrder[a.status] ?? 9) - (statusOrder[b.status] ?? 9) || compareNames(a.username, b.username));
    for (const driver of shown) this.#fillRow(driver);
    arrange(byId('drivers-list'), shown.map((driver) => this.#row(driver)));
    const none = this.#loaded ? 'No drivers yet. They appear once they have signed in for the first time.' : 'Loading…';
    showProblem(byId('drivers-none'), shown.length === 0 && (all.length > 0 ? 'No driver matches.' : none));
    const online = all.filter(({ status }) => status === 'online').length;
    setText(byId('drivers-count'), `${online} of ${all.length} online`);
  }

  #tick() {
    if (document.hidden) return;
    for (const driver of this.#drivers.values()) if (this.#rows.has(driver.driverId)) this.#fillRow(driver);
    this.#showCard();
  }

  async #choose(driverId, showMap = false) {
    this.#chosen = driverId;
    this.#map.choose(driverId);
    for (const driver of this.#drivers.values()) if (this.#rows.has(driver.driverId)) this.#fillRow(driver);
    this.#showCard();
    if (driverId === null) return;
    if (showMap) this.onShowMap();
    try {
      const trail = [];
      const from = Date.now() - trailMs;
      const path = `/drivers/${encodeURIComponent(driverId)}/positions?from=${from}`;
      for await (const items of listPages(path, 20)) trail.push(...items);
      if (this.#chosen === driverId) this.#map.setTrail(trail);
    } catch {
      // Without its trail the driver is still shown, and the trail grows from here on.
    }
  }

  #showCard() {
    const driver = this.#drivers.get(this.#chosen);
    byId('card').hidden = !driver;
    if (!driver) return;
    const { position } = driver;
    setText(byId('card-name'), driver.username);
    showFacts(byId('card-facts'), [
      ['Status', statusTexts[driver.status] ?? driver.status],
      ['Company', driver.companyId],
      ['Speed', kmh(position?.speed)],
      ['Heading', Number.isFinite(position?.heading) ? `${Math.round(position.heading)}°` : ''],
      ['Accuracy', Number.isFinite(position?.accuracy) ? `± ${Math.round(position.accuracy)} m` : ''],
      ['Battery', Number.isFinite(position?.battery) ? `${Math.round(position.battery * 100)} %` : ''],
      ['Last position', position ? ago(position.ts) : 'none yet'],
      ['Id', driver.driverId === driver.username ? '' : driver.driverId],
    ]);
  }
}

const { compare: compareNames } = new Intl.Collator(undefined, { numeric: true });

/** Lets the arrow keys walk along a list of buttons. */
export function moveAlongRows(event) {
  const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
  const next = step && event.target.closest('li')?.[step]?.querySelector('button');
  if (!next) return;
  event.preventDefault();
  next.focus();
}
