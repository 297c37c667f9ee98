// The fleet as admins and company staff see it: a list, a map, and a card for the selected driver.

import { byId, make, setText, arrange, showFacts, oncePerFrame, age, kmh } from './dom.js';
import { listPages } from './session.js';
import { FleetMap } from './map.js';

const trailMs = 3_600_000;
const statusOrder = { online: 0, stale: 1, offline: 2 };

/** Loads the demonstration's streets onto a map; a server without them answers 404 and the map stays plain. */
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
  #arrangeSoon = oncePerFrame(() => this.#arrangeList());

  /** `onMessage` hears the driver id that the user wants to write to; `onShowMap` that the map is wanted. */
  constructor({ connection, people, onMessage, onShowMap }) {
    this.#map = new FleetMap(byId('map-canvas'), {
      onSelect: (id) => this.#choose(id),
      onFollow: (on) => byId('card-follow').setAttribute('aria-pressed', String(on)),
    });
    this.onShowMap = onShowMap;
    connection.on('connect', () => this.#load());
    connection.on('tracking:snapshot', ({ positions }) => this.#moveAll(positions));
    connection.on('tracking:positions', ({ positions }) => this.#moveAll(positions));
    connection.on('tracking:status', ({ driverId, status }) => this.#setStatus(driverId, status));
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
    loadStreets(this.#map);
  }

  /** Reads the list of drivers; the newest request wins over one still under way. */
  async #load() {
    const mine = {};
    this.#loading = mine;
    try {
      for await (const items of listPages('/drivers')) {
        if (this.#loading !== mine) return;
        for (const { position, ...driver } of items) {
          Object.assign(this.#driver(driver.driverId), driver);
          if (position) this.#move(position);
          this.#map.setStatus(driver.driverId, driver.status);
        }
        this.#arrangeSoon();
      }
    } catch (error) {
      setText(byId('drivers-count'), error.message);
    } finally {
      if (this.#loading === mine) this.#loading = null;
    }
  }

  #driver(driverId) {
    let driver = this.#drivers.get(driverId);
    if (!driver) {
      driver = { driverId, username: driverId, status: 'offline' };
      this.#drivers.set(driverId, driver);
    }
    return driver;
  }

  #moveAll(positions) {
    const before = this.#drivers.size;
    for (const position of positions) this.#move(position);
    if (this.#drivers.size !== before) {
      this.#arrangeSoon();
      if (!this.#loading) this.#load(); // someone new: their name and status are in the list
    }
  }

  #move(position) {
    const driver = this.#driver(position.driverId);
    if (driver.position && driver.position.ts > position.ts) return;
    driver.position = position;
    this.#map.moveDriver(driver.driverId, position, { label: driver.username, status: driver.status });
  }

  #setStatus(driverId, status) {
    this.#driver(driverId).status = status;
    this.#map.setStatus(driverId, status);
    this.#arrangeSoon();
  }

  #rename(people) {
    for (const driver of this.#drivers.values()) {
      if (driver.username === driver.driverId) driver.username = people.nameOf(driver.driverId);
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
    const seen = driver.position ? `${age(driver.position.ts)}${age(driver.position.ts) === 'now' ? '' : ' ago'}` : 'no position';
    setText(names.lastChild, driver.status === 'online' ? seen : `${driver.status} · ${seen}`);
    setText(speed, driver.status === 'online' ? kmh(driver.position?.speed) : '');
    if (driver.driverId === this.#chosen) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }

  #arrangeList() {
    const wanted = byId('drivers-search').value.trim().toLowerCase();
    const all = [...this.#drivers.values()];
    const shown = all
      .filter(({ username, driverId }) => username.toLowerCase().includes(wanted) || driverId.toLowerCase().includes(wanted))
      .sort((a, b) => statusOrder[a.status] - statusOrder[b.status] || compareNames(a.username, b.username));
    for (const driver of shown) this.#fillRow(driver);
    arrange(byId('drivers-list'), shown.map((driver) => this.#row(driver)));
    byId('drivers-none').hidden = shown.length > 0;
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
      ['Status', driver.status],
      ['Company', driver.companyId],
      ['Speed', kmh(position?.speed)],
      ['Heading', Number.isFinite(position?.heading) ? `${Math.round(position.heading)}°` : ''],
      ['Accuracy', Number.isFinite(position?.accuracy) ? `± ${Math.round(position.accuracy)} m` : ''],
      ['Battery', Number.isFinite(position?.battery) ? `${Math.round(position.battery * 100)} %` : ''],
      ['Last fix', position ? `${age(position.ts)}${age(position.ts) === 'now' ? '' : ' ago'}` : 'none'],
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
