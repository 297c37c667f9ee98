// What a map draws: ground, streets, trail, drivers, scale. Each function draws one layer for one viewport.

import { toWorldX, toWorldY, toLng, toLat, metresPerUnit, roundStep } from './projection.js';

const labelPixels = 150; // a name on the map is no wider

/** Reads the colours from the style sheet, so that light and dark are decided in one place. */
export function readPalette(node) {
  const style = getComputedStyle(node);
  const colour = (name) => style.getPropertyValue(`--map-${name}`).trim();
  return Object.fromEntries(['ground', 'line', 'text', 'street', 'kerb', 'trail', 'rim', 'online', 'stale', 'offline', 'chosen']
    .map((name) => [name, colour(name)]));
}

/** Turns a FeatureCollection of LineStrings into lines that draw quickly; anything else in it is left out. */
export function prepareStreets(collection) {
  const lines = [];
  for (const { geometry, properties } of collection?.features ?? []) {
    if (geometry?.type !== 'LineString' || geometry.coordinates.length < 2) continue;
    const xs = geometry.coordinates.map(([lng]) => toWorldX(lng));
    const ys = geometry.coordinates.map(([, lat]) => toWorldY(lat));
    const kind = properties?.class ?? properties?.kind ?? '';
    lines.push({
      xs, ys, coordinates: geometry.coordinates,
      metres: /main|primary|ring|arterial|avenue|trunk/.test(kind) ? 14 : 8,
      minX: Math.min(...xs), maxX: Math.max(...xs), minY: Math.min(...ys), maxY: Math.max(...ys),
    });
  }
  return lines;
}

export function drawGround(context, view, palette) {
  context.fillStyle = palette.ground;
  context.fillRect(0, 0, view.width, view.height);
  context.strokeStyle = palette.line;
  context.fillStyle = palette.text;
  context.lineWidth = 1;
  context.font = '10px system-ui, sans-serif';
  const step = Math.min(30, Math.max(1e-4, roundStep((360 * 140) / view.scale)));
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  context.beginPath();
  const lastLng = toLng(view.worldX(view.width));
  for (let lng = Math.ceil(toLng(view.worldX(0)) / step) * step; lng <= lastLng; lng += step) {
    const left = Math.round(view.left(toWorldX(lng))) + 0.5;
    context.moveTo(left, 0);
    context.lineTo(left, view.height);
    context.fillText(`${lng.toFixed(digits)}°`, left + 4, 12);
  }
  const lastLat = toLat(view.worldY(0));
  for (let lat = Math.ceil(toLat(view.worldY(view.height)) / step) * step; lat <= lastLat; lat += step) {
    const top = Math.round(view.top(toWorldY(lat))) + 0.5;
    context.moveTo(0, top);
    context.lineTo(view.width, top);
    if (top > 30 && top < view.height - 34) context.fillText(`${lat.toFixed(digits)}°`, 4, top - 4); // clear of longitudes and the scale bar
  }
  context.stroke();
}

export function drawStreets(context, view, palette, streets) {
  const pixelsPerMetre = view.scale / metresPerUnit(view.y);
  const minX = view.worldX(-20);
  const maxX = view.worldX(view.width + 20);
  const minY = view.worldY(-20);
  const maxY = view.worldY(view.height + 20);
  const seen = streets.filter((line) => line.maxX > minX && line.minX < maxX && line.maxY > minY && line.minY < maxY);
  context.lineCap = 'round';
  context.lineJoin = 'round';
  for (const kerb of [true, false]) {
    for (const metres of [8, 14]) {
      const width = Math.max(metres === 14 ? 2.4 : 1.3, Math.min(26, metres * pixelsPerMetre));
      context.lineWidth = kerb ? width + 1.6 : width;
      context.strokeStyle = kerb ? palette.kerb : palette.street;
      context.beginPath();
      for (const { xs, ys, metres: own } of seen) {
        if (own === metres) tracePath(context, view, xs, ys);
      }
      context.stroke();
    }
  }
}

/** Draws where a driver has been, older parts fainter. `trail` is { xs, ys } in world units, oldest first. */
export function drawTrail(context, view, palette, { xs, ys }) {
  if (xs.length < 2) return;
  context.strokeStyle = palette.trail;
  context.lineWidth = 4;
  context.lineCap = 'round';
  context.lineJoin = 'round';
  const parts = 6;
  for (let part = 0; part < parts; part += 1) {
    const from = Math.floor(((xs.length - 1) * part) / parts);
    const to = Math.floor(((xs.length - 1) * (part + 1)) / parts);
    context.globalAlpha = 0.2 + (0.65 * (part + 1)) / parts;
    context.beginPath();
    tracePath(context, view, xs.slice(from, to + 1), ys.slice(from, to + 1));
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** Draws drivers of one status as one path: arrows where a heading is known, dots elsewhere. */
export function drawDrivers(context, view, markers, colour, rim, size) {
  context.beginPath();
  for (const { nowX, nowY, heading } of markers) {
    const left = view.left(nowX);
    const top = view.top(nowY);
    if (heading === undefined) {
      context.moveTo(left + size * 0.7, top);
      context.arc(left, top, size * 0.7, 0, 2 * Math.PI);
      continue;
    }
    const forwardX = Math.sin((heading * Math.PI) / 180) * size;
    const forwardY = -Math.cos((heading * Math.PI) / 180) * size;
    context.moveTo(left + forwardX * 1.15, top + forwardY * 1.15);
    context.lineTo(left - forwardX * 0.85 - forwardY * 0.8, top - forwardY * 0.85 + forwardX * 0.8);
    context.lineTo(left - forwardX * 0.4, top - forwardY * 0.4);
    context.lineTo(left - forwardX * 0.85 + forwardY * 0.8, top - forwardY * 0.85 - forwardX * 0.8);
    context.closePath();
  }
  context.lineJoin = 'round';
  context.lineWidth = 2.5;
  context.strokeStyle = rim;
  context.stroke();
  context.fillStyle = colour;
  context.fill();
}

/** Draws a ring round the selected driver and a disc of the fix's accuracy. */
export function drawChosen(context, view, palette, { nowX, nowY, accuracy }) {
  const left = view.left(nowX);
  const top = view.top(nowY);
  const radius = ((accuracy ?? 0) * view.scale) / metresPerUnit(nowY);
  context.fillStyle = palette.chosen;
  context.globalAlpha = 0.13;
  context.beginPath();
  context.arc(left, top, Math.max(20, Math.min(radius, 4000)), 0, 2 * Math.PI);
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = palette.chosen;
  context.lineWidth = 2;
  context.beginPath();
  context.arc(left, top, 17, 0, 2 * Math.PI);
  context.stroke();
}

export function drawLabel(context, view, palette, { nowX, nowY, label }) {
  context.font = '600 11px system-ui, sans-serif';
  const text = shortened(label, (part) => context.measureText(part).width <= labelPixels);
  context.textAlign = 'center';
  context.lineJoin = 'round';
  context.lineWidth = 3;
  context.strokeStyle = palette.ground;
  context.fillStyle = palette.text;
  context.strokeText(text, view.left(nowX), view.top(nowY) + 24);
  context.fillText(text, view.left(nowX), view.top(nowY) + 24);
  context.textAlign = 'start';
}

// A name may be long, of wide letters, or stack dozens of accents; the list shows it whole, the map a sign of it.
function shortened(label, fits) {
  let letters = [...label.replace(/(\p{M}{2})\p{M}+/gu, '$1')].slice(0, 40);
  const whole = letters.join('');
  if (whole.length === label.length && fits(whole)) return whole;
  while (letters.length > 1 && !fits(letters.join(''))) letters = letters.slice(0, Math.ceil(letters.length * 0.8) - 1);
  return letters.length < [...label].length ? `${letters.join('')}…` : whole;
}

export function drawScaleBar(context, view, palette) {
  const metresPerPixel = metresPerUnit(view.y) / view.scale;
  const metres = roundStep(110 * metresPerPixel);
  const width = metres / metresPerPixel;
  const bottom = view.height - 14.5;
  context.strokeStyle = palette.text;
  context.fillStyle = palette.text;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(14, bottom - 5);
  context.lineTo(14, bottom);
  context.lineTo(14 + width, bottom);
  context.lineTo(14 + width, bottom - 5);
  context.stroke();
  context.font = '11px system-ui, sans-serif';
  context.fillText(metres >= 1000 ? `${metres / 1000} km` : `${metres} m`, 18, bottom - 5);
}

function tracePath(context, view, xs, ys) {
  context.moveTo(view.left(xs[0]), view.top(ys[0]));
  for (let index = 1; index < xs.length; index += 1) context.lineTo(view.left(xs[index]), view.top(ys[index]));
}
