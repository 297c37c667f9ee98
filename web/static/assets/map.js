// A map on one canvas: pan, zoom, moving drivers. It draws a frame only when something changed or is in motion.

import { Viewport, toWorldX, toWorldY } from './projection.js';
import { boxAround, withoutStrays } from './framing.js';
import { recall, keep } from './dom.js';
import * as layers from './layers.js';

const glideMs = 1000; // time in which a marker moves from one fix to the next
const glideLimitMetres = 3000; // beyond this a marker jumps
const reframeMs = 1000; // an untouched map looks at most this often whether it still shows the fleet
const keepMs = 300; // a view is kept at most this often
const tooFarOut = 3; // how many times larger than needed a view may be before it is taken for the wrong one

export class FleetMap {
  view = new Viewport();
  #canvas;
  #context;
  #ground = document.createElement('canvas'); // ground and streets, redrawn only when the view changes
  #groundOf = '';
  #markers = new Map();
  #streets = [];
  #trail = { xs: [], ys: [] };
  #palette;
  #chosen = null;
  #hovered = null;
  #following = false;
  #untouched = true; // nobody has moved the map: it keeps showing the fleet
  #framed = ''; // what the last fit was to: 'fleet' or 'all', while the map is as it left it
  #reframing = null;
  #memory;
  #keeping = null;
  #asked = false;
  #lastFrame = 0;
  #pointers = new Map();
  #dragged = 0;
  #still = matchMedia('(prefers-reduced-motion: reduce)');
  #onSelect;
  #onFollow;

  /**
   * `onSelect` hears the id of a marker that was clicked, null for empty ground; `onFollow` hears true or false. `memory` is
   * the key under which the browser keeps the view that somebody has moved the map to.
   */
  constructor(canvas, { onSelect = () => {}, onFollow = () => {}, memory = null } = {}) {
    this.#memory = memory;
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d');
    this.#onSelect = onSelect;
    this.#onFollow = onFollow;
    this.#palette = layers.readPalette(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#palette = layers.readPalette(canvas);
      this.#groundOf = '';
      this.#ask();
    });
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#listen();
    const { x, y, scale } = (memory && recall(localStorage, memory)) || {};
    if (![x, y, scale].every(Number.isFinite)) return;
    Object.assign(this.view, { x, y, scale });
    this.view.moveBy(0, 0);
    this.#untouched = false;
  }

  setStreets(collection) {
    this.#streets = layers.prepareStreets(collection);
    this.#groundOf = '';
    if (this.#untouched && this.#markers.size === 0) this.#reframe();
    this.#ask();
  }

  /** Puts a driver at a new fix; the marker glides there. */
  moveDriver(id, { lat, lng, heading, accuracy }, { label, status }) {
    const now = performance.now();
    const x = toWorldX(lng);
    const y = toWorldY(lat);
    let marker = this.#markers.get(id);
    if (!marker) {
      marker = { id, nowX: x, nowY: y };
      this.#markers.set(id, marker);
    }
    this.#place(marker, now);
    const jump = this.#still.matches || document.hidden
      || Math.hypot(x - marker.nowX, y - marker.nowY) * 40e6 > glideLimitMetres;
    Object.assign(marker, {
      fromX: jump ? x : marker.nowX, fromY: jump ? y : marker.nowY, toX: x, toY: y, since: now,
      heading: Number.isFinite(heading) ? heading : undefined, accuracy, label, status,
    });
    if (id === this.#chosen) this.#extendTrail(x, y);
    if (this.#untouched) this.#reframeSoon();
    if (this.#following || this.view.holds(x, y, 80) || this.view.holds(marker.fromX, marker.fromY, 80)) this.#ask();
  }

  setStatus(id, status) {
    const marker = this.#markers.get(id);
    if (!marker || marker.status === status) return;
    marker.status = status;
    if (this.#untouched) this.#reframeSoon();
    this.#ask();
  }

  setLabel(id, label) {
    const marker = this.#markers.get(id);
    if (!marker || marker.label === label) return;
    marker.label = label;
    this.#ask();
  }

  /** Marks a driver, or none for null, and follows it unless told otherwise. The trail starts empty. */
  choose(id, follow = true) {
    this.#chosen = id;
    this.#trail = { xs: [], ys: [] };
    this.follow(id !== null && follow);
    this.#ask();
  }

  follow(on) {
    this.#following = on && this.#markers.has(this.#chosen);
    if (this.#following) {
      this.#untouched = false;
      this.#framed = 'moved';
      this.view.scale = Math.max(this.view.scale, 256 * 2 ** 15.5);
    }
    this.#onFollow(this.#following);
    this.#ask();
  }

  /** Shows where the chosen driver has been: positions { lat, lng }, oldest first. */
  setTrail(positions) {
    this.#trail = { xs: positions.map(({ lng }) => toWorldX(lng)), ys: positions.map(({ lat }) => toWorldY(lat)) };
    const marker = this.#markers.get(this.#chosen);
    if (marker) this.#extendTrail(marker.toX, marker.toY);
    this.#ask();
  }

  /**
   * Shows where most of the fleet is, or the streets while there is no driver, and keeps doing so until the map is touched.
   * Asked for again it shows every last place.
   */
  fit() {
    const all = this.#framed === 'fleet';
    const box = this.#box(all);
    this.follow(false);
    this.#untouched = true;
    this.#framed = all ? 'all' : 'fleet';
    if (this.#memory) keep(localStorage, this.#memory, null);
    if (box) this.view.fit(box);
    this.#ask();
  }

  /** Gives up a remembered view that shows nobody: the fleet has gone elsewhere since. */
  forgetEmptyView() {
    const places = this.#places();
    if (!this.#untouched && places.length > 0 && !places.some(({ x, y }) => this.view.holds(x, y))) this.fit();
  }

  // The drivers at work count; where there are none, those who were.
  #places(all = false) {
    const at = (statuses) => [...this.#markers.values()].filter(({ status }) => statuses.includes(status)).map(({ toX, toY }) => ({ x: toX, y: toY }));
    const everybody = ['online', 'stale', 'offline', 'off_duty'];
    if (all) return at(everybody);
    return [['online'], ['stale']].map(at).find(({ length }) => length > 0) ?? at(everybody);
  }

  #box(all) {
    const places = this.#places(all);
    if (places.length > 0) return boxAround(all ? places : withoutStrays(places));
    return boxAround(this.#streets.flatMap(({ minX, minY, maxX, maxY }) => [{ x: minX, y: minY }, { x: maxX, y: maxY }]));
  }

  #reframeSoon() {
    if (this.#reframing !== null) return;
    this.#reframing = setTimeout(() => {
      this.#reframing = null;
      this.#reframe();
    }, this.#framed === '' ? 0 : reframeMs);
  }

  // Moves the map no more often than it must: when some of the fleet has left it, or it shows far too much.
  #reframe() {
    if (!this.#untouched || this.#following) return;
    const box = this.#box(this.#framed === 'all');
    if (!box) return;
    const { view } = this;
    const holdsAll = view.holds(box.minX, box.minY, -10) && view.holds(box.maxX, box.maxY, -10);
    if (this.#framed !== '' && holdsAll && view.scale * tooFarOut > view.scaleFor(box)) return;
    view.fit(box);
    if (this.#framed === '') this.#framed = 'fleet';
    this.#ask();
  }

  // The view is a person's own from now on.
  #touch() {
    this.#untouched = false;
    this.#framed = 'moved';
    if (this.#memory === null || this.#keeping !== null) return;
    this.#keeping = setTimeout(() => {
      this.#keeping = null;
      const { x, y, scale } = this.view;
      if (this.#framed === 'moved') keep(localStorage, this.#memory, { x, y, scale });
    }, keepMs);
  }

  zoom(factor, left = this.view.width / 2, top = this.view.height / 2) {
    const anchor = this.#following ? [this.view.width / 2, this.view.height / 2] : [left, top];
    this.view.zoomAt(factor, ...anchor);
    this.#touch();
    this.#ask();
  }

  #extendTrail(x, y) {
    const { xs, ys } = this.#trail;
    if (xs.at(-1) === x && ys.at(-1) === y) return;
    xs.push(x);
    ys.push(y);
    if (xs.length > 20_000) this.#trail = { xs: xs.slice(-10_000), ys: ys.slice(-10_000) };
  }

  #pan(pixelsX, pixelsY) {
    if (this.#following) this.follow(false);
    this.view.moveBy(pixelsX, pixelsY);
    this.#touch();
    this.#ask();
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#canvas;
    if (clientWidth === 0 || clientHeight === 0) return;
    const density = window.devicePixelRatio || 1;
    for (const canvas of [this.#canvas, this.#ground]) {
      canvas.width = Math.round(clientWidth * density);
      canvas.height = Math.round(clientHeight * density);
      canvas.getContext('2d').setTransform(density, 0, 0, density, 0, 0);
    }
    this.view.width = clientWidth;
    this.view.height = clientHeight;
    this.#groundOf = '';
    const box = this.#untouched && this.#box(this.#framed === 'all');
    if (box) this.view.fit(box);
    this.#draw(performance.now());
  }

  #ask() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame((now) => {
      this.#asked = false;
      if (this.#canvas.clientWidth > 0 && this.#draw(now)) this.#ask();
    });
  }

  /** Moves a marker to where it is at a moment. Reports whether it is still on its way. */
  #place(marker, now) {
    if (marker.toX === undefined) return false;
    const part = Math.min(1, (now - marker.since) / glideMs);
    marker.nowX = marker.fromX + (marker.toX - marker.fromX) * part;
    marker.nowY = marker.fromY + (marker.toY - marker.fromY) * part;
    return part < 1 && (marker.fromX !== marker.toX || marker.fromY !== marker.toY);
  }

  /** Draws a frame. Reports whether the next one will look different. */
  #draw(now) {
    const { view } = this;
    let moving = false;
    const seen = { offline: [], stale: [], online: [] };
    for (const marker of this.#markers.values()) {
      const onItsWay = this.#place(marker, now);
      if (!view.holds(marker.nowX, marker.nowY, 30)) continue;
      moving ||= onItsWay;
      if (marker.id !== this.#chosen) (seen[marker.status] ?? seen.offline).push(marker);
    }
    const chosen = this.#markers.get(this.#chosen);
    if (this.#following && chosen) moving = this.#drawNearer(chosen, now) || moving;
    this.#lastFrame = now;
    this.#paint(seen, chosen);
    return moving;
  }

  #paint(seen, chosen) {
    const { view } = this;
    const context = this.#context;
    const palette = this.#palette;
    const groundOf = `${view.x} ${view.y} ${view.scale} ${view.width} ${view.height}`;
    if (groundOf !== this.#groundOf) {
      this.#groundOf = groundOf;
      const ground = this.#ground.getContext('2d');
      layers.drawGround(ground, view, palette);
      layers.drawStreets(ground, view, palette, this.#streets);
      layers.drawScaleBar(ground, view, palette);
    }
    context.drawImage(this.#ground, 0, 0, view.width, view.height);
    if (chosen) layers.drawTrail(context, view, palette, this.#trail);
    const count = seen.online.length + seen.stale.length + seen.offline.length;
    const size = count > 300 ? 7 : 9;
    for (const status of ['offline', 'stale', 'online']) {
      layers.drawDrivers(context, view, seen[status], palette[status], palette.rim, size);
    }
    if (count <= 40 && view.scale > 256 * 2 ** 13) {
      for (const marker of [...seen.offline, ...seen.stale, ...seen.online]) layers.drawLabel(context, view, palette, marker);
    }
    if (chosen) {
      layers.drawChosen(context, view, palette, chosen);
      layers.drawDrivers(context, view, [chosen], palette[chosen.status] ?? palette.offline, palette.rim, 10);
    }
    const named = new Set([chosen, this.#markers.get(this.#hovered)]);
    for (const marker of named) if (marker) layers.drawLabel(context, view, palette, marker);
  }

  /** Brings the followed driver towards the middle. Reports whether it is not there yet. */
  #drawNearer({ nowX, nowY }, now) {
    const part = this.#still.matches ? 1 : 1 - Math.exp(-Math.min(100, now - this.#lastFrame) / 110);
    this.view.x += (nowX - this.view.x) * part;
    this.view.y += (nowY - this.view.y) * part;
    const away = Math.hypot(nowX - this.view.x, nowY - this.view.y) * this.view.scale;
    if (away < 0.5) Object.assign(this.view, { x: nowX, y: nowY });
    return away >= 0.5;
  }

  #markerAt(left, top) {
    let nearest = null;
    let distance = 20;
    for (const marker of this.#markers.values()) {
      const away = Math.hypot(this.view.left(marker.nowX) - left, this.view.top(marker.nowY) - top);
      if (away < distance) [nearest, distance] = [marker.id, away];
    }
    return nearest;
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      if (this.#pointers.size === 0) this.#dragged = 0;
      this.#pointers.set(event.pointerId, { left: event.offsetX, top: event.offsetY });
    });
    canvas.addEventListener('pointermove', (event) => this.#moved(event));
    canvas.addEventListener('pointerup', (event) => {
      if (this.#pointers.size === 1 && this.#dragged < 6) this.#onSelect(this.#markerAt(event.offsetX, event.offsetY));
      this.#pointers.delete(event.pointerId);
    });
    canvas.addEventListener('pointercancel', (event) => this.#pointers.delete(event.pointerId));
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
      this.zoom(Math.exp(-Math.max(-300, Math.min(300, pixels)) * (event.ctrlKey ? 0.01 : 0.0022)), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener('dblclick', (event) => this.zoom(2, event.offsetX, event.offsetY));
    canvas.addEventListener('keydown', (event) => {
      const step = 80;
      const act = {
        ArrowLeft: () => this.#pan(step, 0), ArrowRight: () => this.#pan(-step, 0),
        ArrowUp: () => this.#pan(0, step), ArrowDown: () => this.#pan(0, -step),
        '+': () => this.zoom(1.5), '=': () => this.zoom(1.5), '-': () => this.zoom(1 / 1.5),
        0: () => this.fit(), Escape: () => this.#onSelect(null),
      }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
  }

  #moved(event) {
    const place = { left: event.offsetX, top: event.offsetY };
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      const hovered = this.#markerAt(place.left, place.top);
      this.#canvas.style.cursor = hovered === null ? '' : 'pointer';
      if (hovered !== this.#hovered) this.#ask();
      this.#hovered = hovered;
      return;
    }
    this.#dragged += Math.hypot(place.left - before.left, place.top - before.top);
    this.#pointers.set(event.pointerId, place);
    if (this.#pointers.size === 1) {
      if (this.#dragged >= 6) this.#pan(place.left - before.left, place.top - before.top);
      return;
    }
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)[1];
    const span = (point) => Math.max(10, Math.hypot(point.left - other.left, point.top - other.top));
    this.zoom(span(place) / span(before), (place.left + other.left) / 2, (place.top + other.top) / 2);
    if (!this.#following) this.#pan((place.left - before.left) / 2, (place.top - before.top) / 2);
  }
}
