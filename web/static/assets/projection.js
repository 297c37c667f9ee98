// Web Mercator: the world is the square [0, 1) × [0, 1), x to the east from 180° W, y to the south.

export const equatorMetres = 40_075_016.686;
const maxLatitude = 85.051129; // where the Mercator square ends

export const toWorldX = (lng) => lng / 360 + 0.5;

export function toWorldY(lat) {
  const sine = Math.sin((Math.max(-maxLatitude, Math.min(maxLatitude, lat)) * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

export const toLng = (x) => (x - 0.5) * 360;

export const toLat = (y) => 90 - (Math.atan(Math.exp((y - 0.5) * 2 * Math.PI)) * 360) / Math.PI;

/** Metres on the ground per world unit at a world y. */
export const metresPerUnit = (y) => equatorMetres * Math.cos((toLat(y) * Math.PI) / 180);

/** The largest of 1, 2, 5, 10, 20, … (and below 1) that is not above `limit`. */
export function roundStep(limit) {
  const power = 10 ** Math.floor(Math.log10(limit));
  return [5, 2, 1].find((factor) => factor * power <= limit) * power;
}

/** What part of the world a canvas shows. Pixels are CSS pixels; `scale` is pixels per world unit. */
export class Viewport {
  x = 0.5;
  y = 0.5;
  scale = 512;
  width = 1;
  height = 1;

  left(x) { return (x - this.x) * this.scale + this.width / 2; }

  top(y) { return (y - this.y) * this.scale + this.height / 2; }

  worldX(left) { return (left - this.width / 2) / this.scale + this.x; }

  worldY(top) { return (top - this.height / 2) / this.scale + this.y; }

  moveBy(pixelsX, pixelsY) {
    this.x = Math.max(0, Math.min(1, this.x - pixelsX / this.scale));
    this.y = Math.max(0, Math.min(1, this.y - pixelsY / this.scale));
  }

  /** Zooms by a factor, keeping the place under a pixel where it is. */
  zoomAt(factor, left, top) {
    const x = this.worldX(left);
    const y = this.worldY(top);
    this.scale = Math.max(256, Math.min(256 * 2 ** 21, this.scale * factor));
    this.x = x - (left - this.width / 2) / this.scale;
    this.y = y - (top - this.height / 2) / this.scale;
    this.moveBy(0, 0);
  }

  /** Shows a box of the world, with a margin, but no closer than about a city block. */
  fit(box) {
    this.x = (box.minX + box.maxX) / 2;
    this.y = (box.minY + box.maxY) / 2;
    this.scale = this.scaleFor(box);
  }

  /** The scale at which a box of the world fills the canvas but for a margin. */
  scaleFor({ minX, minY, maxX, maxY }) {
    const margin = Math.min(56, this.width / 8, this.height / 8);
    const wide = (this.width - 2 * margin) / Math.max(maxX - minX, 1e-9);
    const high = (this.height - 2 * margin) / Math.max(maxY - minY, 1e-9);
    return Math.max(256, Math.min(wide, high, 256 * 2 ** 16.5));
  }

  holds(x, y, margin = 0) {
    const left = this.left(x);
    const top = this.top(y);
    return left >= -margin && top >= -margin && left <= this.width + margin && top <= this.height + margin;
  }
}
