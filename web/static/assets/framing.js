// What a map opens on: the places where most of a fleet is.

const share = 0.9; // of the places, which are never taken for strays
const slack = 3; // how many times farther out than those a place may be and still count
const nearAnyway = 1 / 2000; // of the world: some 20 km at the equator, within which nothing is a stray

const middle = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)];

/** The box { minX, minY, maxX, maxY } around places { x, y }, or null where there are none. */
export function boxAround(places) {
  if (places.length === 0) return null;
  const box = { minX: Infinity, minY: Infinity, maxX: -Infinity, maxY: -Infinity };
  for (const { x, y } of places) {
    box.minX = Math.min(box.minX, x);
    box.minY = Math.min(box.minY, y);
    box.maxX = Math.max(box.maxX, x);
    box.maxY = Math.max(box.maxY, y);
  }
  return box;
}

/** The places without strays: those far away from where most are. Of two places neither is a stray. */
export function withoutStrays(places) {
  if (places.length < 3) return places;
  const x = middle(places.map((place) => place.x));
  const y = middle(places.map((place) => place.y));
  const away = places.map((place) => Math.hypot(place.x - x, place.y - y));
  const usual = away.toSorted((a, b) => a - b)[Math.floor((places.length - 1) * share)];
  return places.filter((_, index) => away[index] <= Math.max(slack * usual, nearAnyway));
}
