// A pretended walk, for a machine without GPS: along the demonstration's streets where there are any, else freely.

const metresPerDegree = 111_320;
const walkingSpeed = 1.4; // m/s

const keyOf = ([lng, lat]) => `${lng.toFixed(6)},${lat.toFixed(6)}`;

export class Walk {
  #corners = new Map(); // corner → the corners reachable from it
  #from;
  #to;
  #place; // [lng, lat]
  #heading = Math.random() * 360;

  /** `streets` is a FeatureCollection or null; `start` is { lat, lng }, used where there are no streets. */
  constructor(streets, start) {
    for (const { geometry } of streets?.features ?? []) {
      if (geometry?.type !== 'LineString') continue;
      geometry.coordinates.forEach((corner, index, line) => {
        if (index > 0) this.#connect(line[index - 1], corner);
      });
    }
    const corners = [...this.#corners.values()];
    this.#from = corners.length > 0 ? corners[Math.floor(Math.random() * corners.length)].corner : null;
    this.#place = this.#from ?? [start.lng, start.lat];
    if (this.#from) this.#turn();
  }

  /** Walks for some seconds and gives the position reached, as a GPS would report it. */
  step(seconds) {
    const metres = walkingSpeed * seconds;
    if (this.#to) this.#follow(metres);
    else {
      this.#heading += (Math.random() - 0.5) * 30;
      this.#advance(metres);
    }
    const [lng, lat] = this.#place;
    return { lat, lng, heading: ((this.#heading % 360) + 360) % 360, speed: walkingSpeed, accuracy: 5 + Math.random() * 4, ts: Date.now() };
  }

  #connect(a, b) {
    for (const [one, other] of [[a, b], [b, a]]) {
      const key = keyOf(one);
      if (!this.#corners.has(key)) this.#corners.set(key, { corner: one, next: [] });
      this.#corners.get(key).next.push(other);
    }
  }

  #follow(metres) {
    let left = metres;
    for (let turns = 0; turns < 50; turns += 1) {
      const [east, north] = this.#offset(this.#to);
      const distance = Math.hypot(east, north);
      this.#heading = (Math.atan2(east, north) * 180) / Math.PI;
      if (distance > left) {
        this.#advance(left);
        return;
      }
      left -= distance;
      this.#place = this.#to;
      this.#turn();
    }
  }

  // At a corner the walk goes on in any direction but back, unless back is the only way.
  #turn() {
    const here = this.#to ?? this.#from;
    const ways = this.#corners.get(keyOf(here)).next;
    const onward = ways.filter((way) => keyOf(way) !== keyOf(this.#from));
    const choices = onward.length > 0 ? onward : ways;
    this.#from = here;
    this.#to = choices[Math.floor(Math.random() * choices.length)];
  }

  #offset([lng, lat]) {
    const [hereLng, hereLat] = this.#place;
    return [(lng - hereLng) * metresPerDegree * Math.cos((hereLat * Math.PI) / 180), (lat - hereLat) * metresPerDegree];
  }

  #advance(metres) {
    const radians = (this.#heading * Math.PI) / 180;
    const [lng, lat] = this.#place;
    this.#place = [
      lng + (Math.sin(radians) * metres) / (metresPerDegree * Math.cos((lat * Math.PI) / 180)),
      lat + (Math.cos(radians) * metres) / metresPerDegree,
    ];
  }
}
