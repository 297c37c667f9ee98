// A map on one canvas: pan, zoom, moving drivers. It draws a frame only when something changed or is in motion.

import { Viewport, toWorldX, toWorldY } from './projection.js';
import * as layers from './layers.js';

const glideMs = 1000; // time in which a marker moves from one fix to the next
const glideLimitMetres = 3000; // beyond this a marker jumps

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
  #untouched = true;
  #asked = false;
  #lastFrame = 0;
  #pointers = new Map();
  #dragged = 0;
  #still = matchMedia('(prefers-reduced-motion: reduce)');
  #onSelect;
  #onFollow;

  /** `onSelect` hears the id of a marker that was clicked, null for empty ground; `onFollow` hears true or false. */
  constructor(canvas, { onSelect = () => {}, onFollow = () => {} } = {}) {
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
  }

  setStreets(collection) {
    this.#streets = layers.prepareStreets(collection);
    this.#groundOf = '';
    if (this.#untouched) this.fit();
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
    if (this.#untouched && !this.view.holds(x, y, -20)) this.fit();
    if (this.#following || this.view.holds(x, y, 80) || this.view.holds(marker.fromX, marker.fromY, 80)) this.#ask();
  }

  setStatus(id, status) {
    const marker = this.#markers.get(id);
    if (marker) marker.status = status;
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

  /** Shows all drivers, or the streets while there is no driver, and keeps doing so until the map is touched. */
  fit() {
    const box = { minX: Infinity, minY: Infinity, maxX: -Infinity, maxY: -Infinity };
    const include = (minX, minY, maxX, maxY) => {
      box.minX = Math.min(box.minX, minX);
      box.minY = Math.min(box.minY, minY);
      box.maxX = Math.max(box.maxX, maxX);
      box.maxY = Math.max(box.maxY, maxY);
    };
    for (const { toX, toY } of this.#markers.values()) include(toX ?? 0.5, toY ?? 0.5, toX ?? 0.5, toY ?? 0.5);
    if (this.#markers.size === 0) for (const line of this.#streets) include(line.minX, line.minY, line.maxX, line.maxY);
    this.follow(false);
    this.#untouched = true;
    if (box.minX <= box.maxX) this.view.fit(box);
    this.#ask();
  }

  zoom(factor, left = this.view.width / 2, top = this.view.height / 2) {
    this.#untouched = false;
    const anchor = this.#following ? [this.view.width / 2, this.view.height / 2] : [left, top];
    this.view.zoomAt(factor, ...anchor);
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
    this.#untouched = false;
    if (this.#following) this.follow(false);
    this.view.moveBy(pixelsX, pixelsY);
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
    if (this.#untouched) this.fit();
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
