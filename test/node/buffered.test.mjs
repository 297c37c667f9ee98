// What the official client sends by itself once it is back after a tunnel, under the default limits: nothing of it closes
// the connection, and every ack is called.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { accepted, ask, heard, nextEvent, person, settle, startServer, test, within } from './helpers.mjs';

const server = await startServer();
after(() => server.stop());

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** As a phone buffers it: a socket that is not connected yet. */
const offline = (who, options) => server.open(who, { autoConnect: false, ...options });

/** Emits events while the socket is offline, connects it, and resolves to their acks. */
function afterTheTunnel(socket, event, payloads) {
  const acks = payloads.map((payload) => new Promise((resolve) => { socket.emit(event, payload, resolve); }));
  socket.connect();
  return within(MINUTE, `${payloads.length} acks of ${event}`, Promise.all(acks));
}

/** Positions at one a second until now. */
function trail(count) {
  const start = Date.now() - count * SECOND;
  return Array.from({ length: count }, (_, i) => ({ lat: 41 + i / 1e5, lng: -8, ts: start + i * SECOND, seq: i + 1 }));
}

/** How many positions are stored of a driver. */
async function stored(driver) {
  const positions = [];
  let cursor = '';
  do {
    const { status, body } = await server.rest(driver, 'GET', `/drivers/${driver.userId}/positions?limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    assert.equal(status, 200, JSON.stringify(body));
    positions.push(...body.items);
    cursor = body.nextCursor ?? '';
  } while (cursor);
  return positions;
}

for (const transports of [['websocket'], ['polling']]) {
  test(`an hour of positions, emitted one by one while offline, is stored whole, by ${transports}`, async () => {
    const driver = person('driver', { companyId: `tunnel-${transports}` });
    const socket = offline(driver, { transports });
    const hour = trail(3600);
    const acks = await afterTheTunnel(socket, 'tracking:update', hour);
    assert.equal(acks.filter(({ status, accepted: count }) => status === 'ok' && count === 1).length, hour.length);
    assert.deepEqual((await stored(driver)).map(({ seq }) => seq), hour.map(({ seq }) => seq));
    assert.ok(socket.connected);
    assert.deepEqual(heard(socket, 'disconnect'), []);
    await accepted(socket, 'tracking:update', { lat: 42, lng: -8 });
  });
}

test('the same by a client that tries again until it is answered', async () => {
  const driver = person('driver', { companyId: 'tunnel-retries' });
  const socket = offline(driver, { retries: 5, ackTimeout: 5000 });
  const minutes = trail(60);
  const done = Promise.all(minutes.map((position) => new Promise((resolve, reject) => {
    socket.emit('tracking:update', position, (error, ack) => (error ? reject(error) : resolve(ack)));
  })));
  socket.connect();
  const acks = await within(MINUTE, 'all to be answered', done);
  assert.deepEqual(acks.filter(({ status }) => status !== 'ok'), []);
  assert.equal((await stored(driver)).length, minutes.length);
});

test('positions that do not say when they were taken are limited as live ones, answered each, and end nothing', async () => {
  const driver = person('driver', { companyId: 'tunnel-timeless' });
  const socket = offline(driver);
  const acks = await afterTheTunnel(socket, 'tracking:update', trail(3600).map(({ lat, lng }) => ({ lat, lng })));
  const refused = acks.filter(({ status }) => status !== 'ok');
  assert.ok(refused.length > 3000, `${refused.length} are refused`);
  assert.ok(refused.every(({ code, error, retryAfterMs }) => code === 'rate_limited' && error === 'Rate limit exceeded' && retryAfterMs > 0));
  const waits = refused.map(({ retryAfterMs }) => retryAfterMs);
  assert.ok(Math.max(...waits) > 30 * SECOND, 'the last are told to wait longer than the first');
  assert.ok(new Set(waits).size > 100, 'not all are told the same');
  assert.equal((await stored(driver)).length, acks.length - refused.length);
  assert.ok(socket.connected);
  await settle(socket);
});

test('each position counts: five thousand a second in arrays are too many', async () => {
  const driver = person('driver', { companyId: 'tunnel-arrays' });
  const socket = await server.connect(driver);
  const all = trail(10_000);
  const acks = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(socket, 'tracking:update', all.slice(i * 500, (i + 1) * 500))));
  const taken = acks.filter(({ status }) => status === 'ok');
  assert.ok(taken.length >= 8 && taken.length <= 9, `${taken.length} arrays of 500 were taken at once`);
  assert.ok(acks.slice(taken.length).every(({ code, retryAfterMs }) => code === 'rate_limited' && retryAfterMs > 0));
  assert.equal((await server.rest(driver, 'POST', '/positions', all.slice(0, 500))).status, 429, 'the other door counts with it');
  assert.ok((await accepted(socket, 'tracking:update', { lat: 1, lng: 1 })), 'what is taken now is not held up by them');
});

test('live positions come at ten a second, fifty at once', async () => {
  const socket = await server.connect(person('driver', { companyId: 'tunnel-live' }));
  const acks = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(socket, 'tracking:update', { lat: 1, lng: 1, ts: Date.now() - i })));
  const taken = acks.filter(({ status }) => status === 'ok').length;
  assert.ok(taken >= 50 && taken < 100, `${taken} of 100 were taken`);
});

test('after a restart: presence, the inbox and everything else asked for at once is answered, and ends nothing', async () => {
  const socket = offline(person('vendor'));
  const asked = Array.from({ length: 100 }, (_, i) => [['presence:list', {}], ['system:inbox', {}], ['chat:history', { roomId: `r-${i}` }]]).flat();
  const acks = asked.map(([event, payload]) => new Promise((resolve) => { socket.emit(event, payload, resolve); }));
  socket.connect();
  for (const ack of await within(MINUTE, 'all answers', Promise.all(acks))) {
    assert.ok(ack.status === 'ok' || (ack.code === 'rate_limited' && ack.retryAfterMs > 0), JSON.stringify(ack));
  }
  await nextEvent(socket, 'connect');
  assert.deepEqual(heard(socket, 'disconnect'), []);
});
