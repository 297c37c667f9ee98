// What clients in other languages put on the wire, by their sources: how they shake hands, connect, write numbers, times and
// nothing, and spread lists. Each row is sent as it stands, over a bare WebSocket.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { WebSocket } from 'ws';
import { DEADLINE, NO_LIMITS, person, startServer, test, within } from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

/** A connection on which packets are written letter by letter. */
class Wire {
  #waiting = [];
  #messages = [];

  constructor(headers = {}, query = 'EIO=4&transport=websocket') {
    this.ws = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?${query}`, { headers });
    this.ws.on('message', (data) => this.#take(data.toString()));
    this.ws.on('error', (error) => this.#take(`error ${error.message}`));
    this.ws.on('close', (code) => this.#take(`closed ${code}`));
  }

  #take(message) {
    if (message === '2') {
      this.ws.send('3');
      return;
    }
    this.#messages.push(message);
    this.#waiting = this.#waiting.filter((look) => !look());
  }

  /** The first message, past or to come, that begins with one of these, or with the end of the connection. */
  next(...beginnings) {
    return within(DEADLINE, beginnings.join(' or '), new Promise((resolve) => {
      const look = () => {
        const at = this.#messages.findIndex((message) => [...beginnings, 'error', 'closed'].some((beginning) => message.startsWith(beginning)));
        if (at >= 0) resolve(this.#messages.splice(at, 1)[0]);
        return at >= 0;
      };
      if (!look()) this.#waiting.push(look);
    }));
  }

  /** Connects with a packet and returns the answer to it. */
  async connect(packet) {
    assert.match(await this.next('0'), /^0\{/);
    this.ws.send(packet);
    return this.next('40', '44');
  }

  /** Sends an event with an ack id and returns the ack. */
  async ask(args) {
    this.ws.send(`427${args}`);
    const answer = await this.next('437[');
    assert.ok(answer.startsWith('437['), `${args.slice(0, 100)}: ${answer}`);
    return JSON.parse(answer.slice(3))[0];
  }

  close() { this.ws.close(); }
}

const own = () => new URL(server.url).host;

/** How clients come in: the headers of the handshake, and the CONNECT packet. */
const ARRIVALS = {
  'Swift: an Origin of its own making, the token in the payload': (token) => [{ Origin: `ws://${own()}` }, `40${JSON.stringify({ token })}`],
  'Swift: to a namespace, slashes escaped': (token) => [{ Origin: `ws://${own()}` }, `40/tracking,${JSON.stringify({ token }).replaceAll('/', '\\/')}`],
  'Swift: without a payload, the token in extraHeaders': (token) => [{ Origin: `ws://${own()}`, Authorization: `Bearer ${token}` }, '40'],
  'Dart: auth is null': (token) => [{ Authorization: `Bearer ${token}` }, '40null'],
  'Dart: auth is null, to a namespace': (token) => [{ Authorization: `Bearer ${token}` }, '40/tracking,null'],
  'Dart: auth is an empty map': (token) => [{ Authorization: `Bearer ${token}` }, '40{}'],
  'Java: a map of strings beside the token': (token) => [{ 'User-Agent': 'okhttp/3.12.12' }, `40${JSON.stringify({ token, EIO: '4', device: 'null' })}`],
  'C#: members that are null': (token) => [{}, `40${JSON.stringify({ token, session: null })}`],
  'C#: a token of null, the header counts': (token) => [{ Authorization: `Bearer ${token}` }, '40{"token":null}'],
  'Python: a namespace of / written out': (token) => [{ 'User-Agent': 'Python/3.12 aiohttp/3.9' }, `40/,${JSON.stringify({ token })}`],
};

for (const [client, arrival] of Object.entries(ARRIVALS)) {
  test(`let in: ${client}`, async () => {
    const [headers, packet] = arrival(person('vendor').token);
    const wire = new Wire(headers);
    assert.match(await wire.connect(packet), /^40(\/tracking,)?\{"sid":"/);
    wire.close();
  });
}

const NOW = Math.floor(Date.now() / 1000) * 1000;
const iso = (layout) => new Date(NOW).toISOString().replace(/\.\d+Z$/, layout);
const india = new Date(NOW + 5.5 * 3600 * 1000).toISOString().replace(/\.\d+Z$/, '+0530');

/** Positions as clients write them: the event's arguments; what is stored of the first; what the ack names beside it. */
const POSITIONS = {
  'iOS: everything unknown is -1': [`[{"lat":1.5,"lng":2.5,"ts":${NOW},"speed":-1,"heading":-1,"accuracy":-1,"altitude":0,"battery":-1}]`, { ts: NOW, altitude: 0 }, { dropped: ['speed', 'heading', 'accuracy', 'battery'] }],
  'iOS: what CLLocation has besides is let be': [`[{"lat":1.5,"lng":2.5,"ts":${NOW},"verticalAccuracy":-1,"speedAccuracy":-1,"floor":null,"ellipsoidalAltitude":12.25}]`, { ts: NOW }],
  'Swift: optionals that are NSNull': [`[{"lat":1.5,"lng":2.5,"ts":null,"speed":null,"heading":null,"battery":null,"seq":null}]`, {}],
  'Swift: a Date by ISO8601DateFormatter': [`[{"lat":1.5,"lng":2.5,"ts":"${iso('Z')}"}]`, { ts: NOW }],
  'Swift: a DateFormatter of xx, slashes escaped': [`[{"lat":1.5,"lng":2.5,"ts":"${india}","note":"a\\/b"}]`, { ts: NOW }],
  'Swift: timeIntervalSince1970 times 1000, a fraction left': [`[{"lat":1.5,"lng":2.5,"ts":${NOW}.1234}]`, { ts: NOW }],
  'Swift: a list is spread over the arguments': [`[{"lat":1.5,"lng":2.5,"ts":${NOW}},{"lat":1.5,"lng":2.6,"ts":${NOW - 1000}},{"lat":1.5,"lng":2.7,"ts":${NOW - 2000}}]`, { ts: NOW }, { accepted: 3 }],
  'Dart: whole numbers are doubles': [`[{"lat":1.5,"lng":2.5,"ts":${NOW}.0,"seq":50.0,"speed":3.0,"heading":0.0}]`, { ts: NOW, seq: 50, speed: 3, heading: 0 }],
  'Dart: toIso8601String with microseconds': [`[{"lat":1.5,"lng":2.5,"ts":"${iso('.000000Z')}"}]`, { ts: NOW }],
  'Dart: a list of one is one position': [`[{"lat":1.5,"lng":2.5,"ts":${NOW}}]`, { ts: NOW }],
  'Dart: a list in a list stays one': [`[[{"lat":1.5,"lng":2.5,"ts":${NOW}},{"lat":1.5,"lng":2.6,"ts":${NOW - 1000}}]]`, { ts: NOW }, { accepted: 2 }],
  'Java: a double of its toString': [`[{"lat":1.5,"lng":2.5,"ts":${(NOW / 1e12).toFixed(9)}E12,"speed":1.0E-4}]`, { ts: NOW, speed: 0.0001 }],
  'Java: JSONObject.NULL': [`[{"lat":1.5,"lng":2.5,"ts":${NOW},"heading":null}]`, { ts: NOW }],
  'Android: no bearing and no accuracy are 0.0': [`[{"lat":1.5,"lng":2.5,"ts":${NOW},"heading":0.0,"accuracy":0.0,"speed":0}]`, { ts: NOW, heading: 0, accuracy: 0, speed: 0 }],
  'Android: floats made doubles': [`[{"lat":1.5,"lng":2.5,"ts":${NOW},"speed":12.300000190734863,"heading":359.9999694824219}]`, { ts: NOW, speed: 12.300000190734863, heading: 359.9999694824219 }],
  'Kotlin: NaN as text': [`[{"lat":1.5,"lng":2.5,"ts":${NOW},"altitude":"NaN","speed":"Infinity"}]`, { ts: NOW }, { dropped: ['altitude', 'speed'] }],
  'C#: a DateTime of seven digits': [`[{"lat":1.5,"lng":2.5,"ts":"${iso('.0001234Z')}"}]`, { ts: NOW }],
  'C#: a DateTimeOffset, the plus escaped': [`[{"lat":1.5,"lng":2.5,"ts":"${iso('.0000000')}\\u002B00:00"}]`, { ts: NOW }],
  'C#: numbers as text are named': [`[{"lat":1.5,"lng":2.5,"ts":${NOW},"speed":"12.5"}]`, { ts: NOW }, { dropped: ['speed'] }],
  'C#: an enumeration beside it': [`[{"lat":1.5,"lng":2.5,"ts":${NOW},"source":2,"provider":null}]`, { ts: NOW }],
  'Python: float and int mixed': [`[{"lat": 1.5, "lng": 2.5, "ts": ${NOW}, "seq": 7, "battery": 1.0}]`, { ts: NOW, seq: 7, battery: 1 }],
  'Go: RFC 3339 in small letters': [`[{"lat":1.5,"lng":2.5,"ts":"${iso('z').replace('T', 't')}"}]`, { ts: NOW }],
  'Rust: an exponent': [`[{"lat":15e-1,"lng":2.5e0,"ts":${NOW / 1000}e3}]`, { ts: NOW }],
  'anything: 360 for north, 87 for a battery': [`[{"lat":1.5,"lng":2.5,"ts":${NOW},"heading":360,"battery":87,"speed":-0.0}]`, { ts: NOW, speed: -0 }, { dropped: ['heading', 'battery'] }],
};

async function asDriver(run) {
  const driver = person('driver', { companyId: 'habits' });
  const wire = new Wire();
  await wire.connect(`40${JSON.stringify({ token: driver.token })}`);
  try {
    await run(wire, driver);
  } finally {
    wire.close();
  }
}

const withName = (args) => `["tracking:update",${args.slice(1)}`;

for (const [client, [args, stored, { accepted = 1, dropped = [] } = {}]] of Object.entries(POSITIONS)) {
  test(`positions, ${client}`, () => asDriver(async (wire, driver) => {
    const ack = await wire.ask(withName(args));
    assert.deepEqual([ack.status, ack.accepted, ack.rejected], ['ok', accepted, []], JSON.stringify(ack));
    assert.deepEqual((ack.dropped ?? []).map(({ field }) => field).sort(), [...dropped].sort());
    const { body: { items } } = await server.rest(driver, 'GET', `/drivers/${driver.userId}/positions`);
    assert.equal(items.length, accepted);
    const { driverId, companyId, lat, lng, ts, ...rest } = items.at(-1);
    const { ts: expected = ts, ...others } = stored;
    assert.deepEqual({ driverId, companyId, lat, lng, ts, ...rest }, { driverId: driver.userId, companyId: 'habits', lat: 1.5, lng: 2.5, ts: expected, ...others });
    assert.ok(Math.abs(ts - Date.now()) < 60_000);
  }));
  test(`the same by REST, ${client}`, () => asDriver(async (_, driver) => {
    const positions = args.startsWith('[[') ? args.slice(1, -1) : args; // arguments are the list
    const { status, body } = await server.rest(driver, 'POST', '/positions', positions);
    assert.deepEqual([status, body.accepted, body.rejected], [200, accepted, []], JSON.stringify(body));
    assert.deepEqual((body.dropped ?? []).map(({ field }) => field).sort(), [...dropped].sort());
  }));
}

/** What is refused with words, naming the member, by either door. */
const REFUSED = {
  'C#: PascalCase': ['{"Lat":1.5,"Lng":2.5}', 'lat', /lat must be written like this, not Lat/],
  'browsers: a GeolocationPosition': ['{"coords":{"latitude":1.5,"longitude":2.5},"timestamp":1}', 'lat', /not coords/],
  'Swift: seconds since 1970': [`{"lat":1.5,"lng":2.5,"ts":${NOW / 1000}.25}`, 'ts', /seconds/],
  'Android: time instead of ts': [`{"lat":1.5,"lng":2.5,"time":${NOW}}`, 'ts', /ts must be written like this, not time/],
  'Leaflet: lon': ['{"lat":1.5,"lon":2.5}', 'lng', /not lon/],
  'Java: coordinates as text': ['{"lat":"1.5","lng":"2.5"}', 'lat', /number/],
  'Java: a time without its zone': [`{"lat":1.5,"lng":2.5,"ts":"${iso('')}"}`, 'ts', /RFC 3339/],
  'Kotlin: NaN where it is': ['{"lat":"NaN","lng":2.5}', 'lat', /number/],
};

for (const [client, [position, field, sentence]] of Object.entries(REFUSED)) {
  test(`refused with a hint: ${client}`, () => asDriver(async (wire, driver) => {
    const ack = await wire.ask(`["tracking:update",${position}]`);
    assert.deepEqual([ack.status, ack.code, ack.field], ['error', 'invalid_payload', field], JSON.stringify(ack));
    assert.match(ack.error, sentence);
    const { status, body } = await server.rest(driver, 'POST', '/positions', position);
    assert.deepEqual([status, body.code, body.field], [422, 'invalid_payload', field]);
    const list = await wire.ask(`["tracking:update",[{"lat":1,"lng":1},${position}]]`);
    assert.deepEqual([list.accepted, list.rejected], [1, [{ index: 1, code: 'invalid_payload', field }]]);
  }));
}

/** Events without anything to say, as clients say it. */
const NOTHING = { 'no argument': '', 'Swift, Dart and Java: null': ',null', 'C#: an empty object': ',{}' };

for (const [client, argument] of Object.entries(NOTHING)) {
  test(`nothing to say, ${client}`, () => asDriver(async (wire) => {
    for (const event of ['presence:list', 'system:inbox']) {
      const ack = await wire.ask(`["${event}"${argument}]`);
      assert.equal(ack.status, 'ok', `${event}${argument}: ${JSON.stringify(ack)}`);
    }
  }));
}

test('Dart: messages spread over the arguments are refused, not lost in part', () => asDriver(async (wire) => {
  const ack = await wire.ask('["chat:message",{"roomId":"habits","text":"a"},{"roomId":"habits","text":"b"}]');
  assert.deepEqual([ack.status, ack.code], ['error', 'invalid_payload']);
}));

test('Dart: more positions than fit, spread over the arguments, are refused', () => asDriver(async (wire) => {
  const position = `{"lat":1,"lng":1,"ts":${NOW}}`;
  const ack = await wire.ask(`["tracking:update",${Array(501).fill(position).join(',')}]`);
  assert.equal(ack.status, 'error');
  assert.match(ack.code, /^(too_large|invalid_payload)$/);
}));

test('Dart: whole numbers are doubles wherever there are any', () => asDriver(async (wire, driver) => {
  const said = await wire.ask('["chat:message",{"roomId":"doubles","text":"a"}]');
  assert.equal(said.status, 'ok', JSON.stringify(said));
  for (const args of [
    '["room:join",{"roomId":"doubles","after":0.0,"limit":5.0}]', '["room:join",{"roomId":"doubles","after":1.0}]',
    '["chat:history",{"roomId":"doubles","before":2.0,"limit":1e1}]', '["chat:history",{"roomId":"doubles","after":0.0,"limit":20.0}]',
    '["system:inbox",{"limit":10.0}]',
  ]) {
    const ack = await wire.ask(args);
    assert.equal(ack.status, 'ok', `${args}: ${JSON.stringify(ack)}`);
  }
  for (const route of [`/drivers/${driver.userId}/positions?limit=10.0&from=${NOW}.0`, '/rooms/doubles/messages?limit=10.0&after=0.0', '/me/inbox?limit=5.0']) {
    const { status, body } = await server.rest(driver, 'GET', route);
    assert.equal(status, 200, `${route}: ${JSON.stringify(body)}`);
  }
}));
