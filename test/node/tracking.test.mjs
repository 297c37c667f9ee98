// Positions: who sends them, who sees them, how often, and what is kept.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import {
  NO_LIMITS, accepted, assertProblem, heard, heardNames, nextEvent, person, refused, settle, startServer, test, onEveryNode,
} from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

let companies = 0;

/** A company nobody has met before: a driver and the sockets of those who may and may not watch. */
async function fleet() {
  companies += 1;
  const companyId = `fleet-${companies}`;
  const driver = person('driver', { companyId });
  const other = person('driver', { companyId });
  const staff = person('company', { companyId });
  const admin = person('admin');
  const [watcher, tab, boss, rival, colleague, vendor, provider] = await Promise.all([
    server.connect(staff), server.connect(staff, { namespace: '/tracking', transports: ['polling'] }), server.connect(admin),
    server.connect(person('company', { companyId: `${companyId}-rival` })), server.connect(other),
    server.connect(person('vendor')), server.connect(person('provider')),
  ]);
  const phone = await server.connect(driver);
  const [watching, blind] = [[watcher, tab, boss], [rival, colleague, vendor, provider]];
  return { companyId, driver, other, staff, admin, phone, watching, blind };
}

/** Waits until a watcher has been told that drivers are online; of a crowd that is once a second. */
async function online(watcher, ...drivers) {
  for (const { userId } of drivers) {
    const greeted = heard(watcher, 'tracking:snapshot').flatMap(({ statuses }) => statuses);
    if (greeted.some(({ driverId, status }) => driverId === userId && status === 'online')) continue;
    await nextEvent(watcher, 'tracking:status', ({ driverId, status }) => driverId === userId && status === 'online');
  }
}

const of = (driver) => ({ positions }) => positions.some(({ driverId }) => driverId === driver.userId);

/** The driver's positions of the next event that has any; admins hear of the other tests' fleets too. */
async function nextPositions(socket, driver) {
  const { positions } = await nextEvent(socket, 'tracking:positions', of(driver));
  return positions.filter(({ driverId }) => driverId === driver.userId);
}

const track = (who, driver, query = '') => server.rest(who, 'GET', `/drivers/${driver.userId}/positions${query}`);

test('a position is seen by the own company and by admins, by nobody else', async () => {
  const { companyId, driver, phone, watching, blind } = await fleet();
  const position = {
    lat: 41.1579438, lng: -8.6291053, ts: Date.now(), heading: 359.5, speed: 13.9, accuracy: 4.2, altitude: -3.5, battery: 0.07, seq: 9,
  };
  assert.deepEqual(await accepted(phone, 'tracking:update', position), { status: 'ok', accepted: 1, rejected: [] });
  for (const socket of watching) {
    const { at, positions } = await nextEvent(socket, 'tracking:positions', of(driver));
    assert.ok(Math.abs(at - Date.now()) < 60_000);
    assert.deepEqual(positions.filter(({ driverId }) => driverId === driver.userId), [{ driverId: driver.userId, companyId, ...position }]);
  }
  for (const socket of [...blind, phone]) {
    await settle(socket);
    assert.deepEqual(heard(socket, 'tracking:positions'), []);
    assert.deepEqual(heard(socket, 'tracking:status'), [], 'nor who is on the road');
  }
});

test('zero is a value, and what was not sent is not invented', async () => {
  const { companyId, driver, phone, watching: [watcher] } = await fleet();
  const before = Date.now();
  await accepted(phone, 'tracking:update', { lat: 0, lng: 0, heading: 0, speed: 0, battery: 0 });
  const { positions: [{ ts, ...seen }] } = await nextEvent(watcher, 'tracking:positions');
  assert.deepEqual(seen, { driverId: driver.userId, companyId, lat: 0, lng: 0, heading: 0, speed: 0, battery: 0 });
  assert.ok(ts >= before - 1000 && ts <= Date.now() + 1000, 'the time of the server stands in');
});

test('times may come as RFC 3339 and leave as Unix milliseconds', async () => {
  const { phone, watching: [watcher] } = await fleet();
  const ts = Date.now() - 5000;
  await accepted(phone, 'tracking:update', { lat: 1, lng: 2, ts: new Date(ts).toISOString() });
  assert.equal((await nextEvent(watcher, 'tracking:positions')).positions[0].ts, ts);
});

test('a phone that was offline sends an array: all of it is kept, the newest is shown', async () => {
  const { driver, staff, phone, watching } = await fleet();
  const start = Date.now() - 600_000;
  const trail = Array.from({ length: 500 }, (_, i) => ({ lat: 10 + i / 1000, lng: 20, ts: start + i * 1000, seq: i }));
  assert.deepEqual(await accepted(phone, 'tracking:update', trail), { status: 'ok', accepted: 500, rejected: [] });
  for (const socket of watching) {
    const positions = await nextPositions(socket, driver);
    assert.deepEqual(positions.map(({ seq }) => seq), [499]);
  }
  const kept = [];
  let cursor = '';
  do {
    const { status, body } = await track(staff, driver, `?limit=150${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    assert.equal(status, 200);
    kept.push(...body.items);
    cursor = body.nextCursor ?? '';
  } while (cursor);
  assert.deepEqual(kept.map(({ lat, lng, ts, seq }) => ({ lat, lng, ts, seq })), trail);
  const { body } = await track(staff, driver, `?from=${start + 10_000}&to=${new Date(start + 12_000).toISOString()}`);
  const inside = body.items.map(({ seq }) => seq);
  assert.deepEqual(inside.slice(0, 2), [10, 11]);
  assert.ok(inside.length <= 3);
});

test('late positions are history only, exact doubles are kept once', async () => {
  const { driver, staff, phone, watching: [watcher] } = await fleet();
  const now = Date.now();
  const at = (seconds) => ({ lat: 5, lng: 5, ts: now - seconds * 1000 });
  await accepted(phone, 'tracking:update', at(10));
  await nextEvent(watcher, 'tracking:positions');
  await accepted(phone, 'tracking:update', at(60));
  await accepted(phone, 'tracking:update', [at(60), at(10), at(50)]);
  await accepted(phone, 'tracking:update', at(10));
  await accepted(phone, 'tracking:update', at(5));
  const { positions } = await nextEvent(watcher, 'tracking:positions');
  assert.deepEqual(positions.map(({ ts }) => ts), [now - 5000], 'nothing in between was shown');
  const { body } = await track(staff, driver);
  assert.deepEqual(body.items.map(({ ts }) => ts), [60, 50, 10, 5].map((seconds) => now - seconds * 1000));
  assert.equal((await server.rest(staff, 'GET', `/drivers/${driver.userId}`)).body.position.ts, now - 5000);
});

test('positions without a time are recognised by seq when they are sent again, by either door and across a restart', async () => {
  const { driver, staff, phone, watching: [watcher] } = await fleet();
  const batch = [1, 2, 3].map((seq) => ({ lat: seq, lng: 0, seq }));
  const once = await accepted(phone, 'tracking:update', batch);
  assert.deepEqual((await nextPositions(watcher, driver)).map(({ seq }) => seq), [3]);
  await accepted(phone, 'tracking:update', { lat: 4, lng: 0, seq: 4 });
  assert.deepEqual((await nextPositions(watcher, driver)).map(({ seq }) => seq), [4]);
  assert.deepEqual(await accepted(phone, 'tracking:update', batch), once, 'the same answer');
  assert.equal((await server.rest(driver, 'POST', '/positions', batch)).status, 200);
  await server.restart();
  assert.equal((await server.rest(driver, 'POST', '/positions', batch)).status, 200);
  const { body } = await track(staff, driver);
  assert.deepEqual(body.items.map(({ seq }) => seq), [1, 2, 3, 4]);
  assert.equal((await server.rest(staff, 'GET', `/drivers/${driver.userId}`)).body.position.seq, 4, 'and the driver is where it was');
});

test('wrong positions of an array are rejected by index, the rest is kept', async () => {
  const { driver, staff, phone, watching: [watcher] } = await fleet();
  const now = Date.now();
  const good = { lat: 1, lng: 1, ts: now - 1000 };
  const wrong = [
    ['lat', { ...good, lat: 90.0001 }], ['lat', { ...good, lat: '1' }], ['lat', { lng: 1 }], ['lat', { ...good, lat: NaN }],
    ['lng', { ...good, lng: -180.0001 }], ['lng', { ...good, lng: Infinity }], ['lng', { lat: 1 }], ['lng', { ...good, lng: [1] }],
    ['ts', { ...good, ts: now + 120_000 }], ['ts', { ...good, ts: now - 721 * 3600 * 1000 }], ['ts', { ...good, ts: 'yesterday' }],
    ['ts', { ...good, ts: 1e300 }], ['ts', { ...good, ts: {} }], ['ts', { ...good, ts: Math.floor(now / 1000) }], ['ts', { lat: 1, lng: 1, timestamp: now }],
    ['lat', { latitude: 1, lng: 1 }], ['lng', { lat: 1, lon: 1 }], ['lat', { coords: { latitude: 1, longitude: 1 } }],
    ['heading', { ...good, bearing: 12 }], ['lat', { Lat: 1, lng: 1 }],
    [undefined, null], [undefined, 7], [undefined, 'x'], [undefined, []], [undefined, [good]], [undefined, true],
  ];
  const batch = wrong.flatMap(([, position], i) => [position, { ...good, ts: good.ts + i }]);
  const { accepted: count, rejected } = await accepted(phone, 'tracking:update', batch);
  assert.equal(count, wrong.length);
  assert.deepEqual(rejected.map(({ index, code }) => [index, code]), wrong.map((_, i) => [2 * i, 'invalid_payload']));
  for (const [i, [field]] of wrong.entries()) {
    if (field) assert.equal(rejected[i].field, field, JSON.stringify(wrong[i][1]));
  }
  assert.equal((await track(staff, driver)).body.items.length, wrong.length);
  assert.equal((await nextEvent(watcher, 'tracking:positions')).positions[0].ts, good.ts + wrong.length - 1);

  for (const [field, position] of wrong.slice(0, 18)) await refused(phone, 'invalid_payload', field, 'tracking:update', position);
  await refused(phone, 'invalid_payload', undefined, 'tracking:update', []);
  await refused(phone, 'too_large', undefined, 'tracking:update', Array.from({ length: 501 }, () => good));
  const edges = [{ lat: 90, lng: 180 }, { lat: -90, lng: -180 }, { lat: 0, lng: 0, heading: 359.999, battery: 1, ts: now + 50_000 }];
  assert.equal((await accepted(phone, 'tracking:update', edges)).accepted, edges.length);
});

test('what a phone does not know of a position is left out of it, and named', async () => {
  const { driver, companyId, phone, watching: [watcher] } = await fleet();
  const ts = Date.now();
  const unknown = { lat: 1, lng: 1, ts, heading: -1, speed: -1, accuracy: 5, battery: -1 };
  const dropped = ['heading', 'speed', 'battery'].map((field) => ({ index: 0, field }));
  assert.deepEqual(await accepted(phone, 'tracking:update', unknown), { status: 'ok', accepted: 1, rejected: [], dropped });
  assert.deepEqual(await nextPositions(watcher, driver), [{ driverId: driver.userId, companyId, lat: 1, lng: 1, ts, accuracy: 5 }]);

  for (const [field, value] of [['heading', '12'], ['speed', 'NaN'], ['accuracy', 'Infinity'], ['altitude', true], ['battery', {}], ['battery', 87], ['seq', 'one'], ['seq', 1.5]]) {
    const { dropped: left } = await accepted(phone, 'tracking:update', { lat: 1, lng: 1, [field]: value });
    assert.deepEqual(left, [{ index: 0, field }], `${field} ${value}`);
  }

  const north = [{ lat: 1, lng: 1, ts: ts + 1, heading: 360 }, { lat: 91, lng: 1, heading: -1 }, { lat: 2, lng: 1, ts: ts + 2, heading: 0, seq: 1e300 }];
  const { status, body } = await server.rest(driver, 'POST', '/positions', north);
  assert.deepEqual([status, body], [200, {
    accepted: 2, rejected: [{ index: 1, code: 'invalid_payload', field: 'lat' }], dropped: [{ index: 0, field: 'heading' }, { index: 2, field: 'seq' }],
  }]);
});

test('only drivers send positions', async () => {
  const position = { lat: 1, lng: 1 };
  for (const role of ['admin', 'company', 'provider', 'vendor']) {
    const who = person(role);
    const socket = await server.connect(who, { namespace: '/tracking' });
    await refused(socket, 'forbidden', undefined, 'tracking:update', position);
    assertProblem(await server.rest(who, 'POST', '/positions', position), 403, 'forbidden');
  }
  assertProblem(await server.rest(undefined, 'POST', '/positions', position), 401, 'auth_required');
});

test('positions by REST are shown like those by socket', async () => {
  const { driver, companyId, watching } = await fleet();
  const now = Date.now();
  const { status, body } = await server.rest(driver, 'POST', '/positions', [{ lat: 3, lng: 4, ts: now }, { lat: 91, lng: 4 }]);
  assert.deepEqual([status, body], [200, { accepted: 1, rejected: [{ index: 1, code: 'invalid_payload', field: 'lat' }] }]);
  for (const socket of watching) {
    const positions = await nextPositions(socket, driver);
    assert.deepEqual(positions, [{ driverId: driver.userId, companyId, lat: 3, lng: 4, ts: now }]);
  }
  assertProblem(await server.rest(driver, 'POST', '/positions', { lat: 91, lng: 0 }), 422, 'invalid_payload', 'lat');
});

test('a watcher sees on connection where the drivers are, of the own company only', async () => {
  const { companyId, driver, other, staff, admin, phone, watching } = await fleet();
  await online(watching[0], driver, other);
  const position = { lat: 7, lng: 8, ts: Date.now() };
  await accepted(phone, 'tracking:update', position);
  const expected = [{ driverId: driver.userId, companyId, ...position }];
  for (const namespace of ['/', '/tracking']) {
    const watcher = await server.connect(staff, { namespace });
    const { positions, statuses } = await nextEvent(watcher, 'tracking:snapshot');
    const [{ at, ...status }] = statuses.filter(({ driverId }) => driverId === driver.userId);
    assert.deepEqual([positions, status], [expected, { driverId: driver.userId, username: driver.username, companyId, status: 'online' }]);
    assert.deepEqual(statuses.map(({ driverId }) => driverId).sort(), [driver.userId, other.userId].sort());
    assert.ok(Math.abs(at - Date.now()) < 60_000);
    const boss = await server.connect(admin, { namespace });
    const everywhere = await nextEvent(boss, 'tracking:snapshot');
    assert.deepEqual(everywhere.positions.filter(({ driverId }) => driverId === driver.userId), expected);
    assert.deepEqual(everywhere.statuses.filter(({ driverId }) => driverId === driver.userId), [{ at, ...status }]);
  }
  const rival = await server.connect(person('company', { companyId: `${companyId}-other` }));
  assert.deepEqual(await nextEvent(rival, 'tracking:snapshot'), { positions: [], statuses: [] });
  for (const role of ['driver', 'provider', 'vendor']) {
    const socket = await server.connect(person(role, { companyId }));
    await settle(socket);
    assert.ok(!heardNames(socket).includes('tracking:snapshot'), `${role} watches no fleet`);
  }
});

test('a watcher learns on connection who is offline, and since when', async () => {
  const { companyId, driver, staff, phone, watching: [watcher] } = await fleet();
  const ts = Date.now();
  await accepted(phone, 'tracking:update', { lat: 7, lng: 8, ts });
  phone.disconnect();
  const left = await nextEvent(watcher, 'tracking:status', ({ driverId, status }) => driverId === driver.userId && status === 'offline');
  const late = await server.connect(staff);
  const { positions, statuses } = await nextEvent(late, 'tracking:snapshot');
  assert.deepEqual(positions.map(({ driverId }) => driverId), [driver.userId]);
  assert.deepEqual(statuses.filter(({ driverId }) => driverId === driver.userId), [left]);
  assert.deepEqual(left, { driverId: driver.userId, username: driver.username, companyId, status: 'offline', at: left.at });
});

test('status: online with the first socket, offline with the last', async () => {
  const { companyId, driver, staff, phone, watching, blind } = await fleet();
  const mine = ({ driverId }) => driverId === driver.userId;
  const status = async () => (await server.rest(staff, 'GET', `/drivers/${driver.userId}`)).body;
  for (const socket of watching) {
    const { at, ...event } = await nextEvent(socket, 'tracking:status', mine);
    assert.deepEqual(event, { driverId: driver.userId, username: driver.username, companyId, status: 'online' }, 'with a name for who has not seen it yet');
    assert.ok(Math.abs(at - Date.now()) < 60_000);
  }
  assert.deepEqual(await status(), { driverId: driver.userId, username: driver.username, companyId, status: 'online' });
  const tablet = await server.connect(driver, { namespace: '/tracking' });
  phone.disconnect();
  await settle(tablet);
  assert.equal((await status()).status, 'online', 'the tablet is still there');
  tablet.disconnect();
  for (const socket of watching) {
    assert.equal((await nextEvent(socket, 'tracking:status', mine)).status, 'offline');
    assert.deepEqual(heard(socket, 'tracking:status').filter(mine).map((event) => event.status), ['online', 'offline']);
  }
  assert.equal((await status()).status, 'offline');
  for (const socket of blind) {
    await settle(socket);
    assert.deepEqual(heard(socket, 'tracking:status').filter(mine), []);
  }
});

test('drivers are found by company, status, name and place', async () => {
  const { companyId, driver, other, staff, admin, phone, watching: [watcher] } = await fleet();
  await online(watcher, driver, other);
  await accepted(phone, 'tracking:update', { lat: 52.5, lng: 179.9 });
  const found = async (who, query) => {
    const { status, body } = await server.rest(who, 'GET', `/drivers?limit=1000&${new URLSearchParams(query)}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body.items.map(({ driverId }) => driverId);
  };
  const both = [driver.userId, other.userId].sort();
  await onEveryNode('both are online', async () => (await found(staff, { status: 'online' })).length === both.length);
  assert.deepEqual(await found(admin, { company: companyId }), both);
  assert.deepEqual(await found(staff, { company: companyId }), both);
  assert.deepEqual(await found(staff, { company: `${companyId}-rival` }), []);
  assert.deepEqual(await found(staff, { status: 'online' }), both);
  assert.deepEqual(await found(staff, { status: 'offline' }), []);
  assert.deepEqual(await found(staff, { q: driver.username.toUpperCase() }), [driver.userId]);
  assert.deepEqual(await found(staff, { q: 'nobody of this name' }), []);
  for (const [bounds, inside] of [['179,52,180,53', true], ['179,52,-179,53', true], ['-180,-90,180,90', true], ['170,52,171,53', false], ['-179,52,179,53', false]]) {
    assert.deepEqual(await found(staff, { bounds }), inside ? [driver.userId] : [], bounds);
  }
  for (const [name, value] of [['status', 'asleep'], ['bounds', '1,2,3'], ['bounds', '5'], ['bounds', '1,3,2,2'], ['bounds', 'NaN,0,1,1'], ['q', 'x'.repeat(129)]]) {
    const { status, body } = await server.rest(admin, 'GET', `/drivers?${name}=${value}`);
    assert.deepEqual([status >= 400 && status < 500, body.field], [true, name], `${name}=${value.slice(0, 20)}`);
  }
  assertProblem(await server.rest(admin, 'GET', '/drivers?near=1'), 400, 'invalid_payload', 'near');
});

test('a driver of another company does not exist', async () => {
  const { companyId, driver, staff, admin, phone } = await fleet();
  await accepted(phone, 'tracking:update', { lat: 1, lng: 1 });
  for (const [who, status] of [[staff, 200], [admin, 200], [driver, 200]]) {
    assert.equal((await track(who, driver)).status, status);
    assert.equal((await server.rest(who, 'GET', `/drivers/${driver.userId}`)).status, status);
  }
  for (const who of [person('company', { companyId: `${companyId}-rival` }), person('driver', { companyId })]) {
    for (const path of [`/drivers/${driver.userId}`, `/drivers/${driver.userId}/positions`, '/drivers/nobody']) {
      assertProblem(await server.rest(who, 'GET', path), 404, 'not_found');
    }
  }
  assertProblem(await track(person('vendor'), driver), 403, 'forbidden');
  const { body } = await server.rest(staff, 'GET', '/drivers');
  assert.ok(body.items.length >= 1 && body.items.every((item) => item.companyId === companyId));
  const everyone = [];
  for (let cursor = ''; cursor !== undefined;) {
    const page = (await server.rest(admin, 'GET', `/drivers?limit=2&cursor=${encodeURIComponent(cursor)}`)).body;
    assert.ok(page.items.length <= 2);
    everyone.push(...page.items.map(({ driverId }) => driverId));
    cursor = page.nextCursor;
  }
  assert.equal(new Set(everyone).size, everyone.length);
  assert.ok(everyone.includes(driver.userId));
});

test('a room hears of positions at most every 100 ms, and always of the newest', async () => {
  const { driver, phone, watching } = await fleet();
  const start = Date.now() - 60_000;
  const last = 299;
  for (let i = 0; i <= last; i += 1) await accepted(phone, 'tracking:update', { lat: 1, lng: 1, ts: start + i, seq: i });
  for (const socket of watching) {
    await nextEvent(socket, 'tracking:positions', ({ positions }) => positions.some(({ seq }) => seq === last));
    const events = heard(socket, 'tracking:positions').filter(of(driver));
    const shown = events.flatMap(({ positions }) => positions.filter(({ driverId }) => driverId === driver.userId).map(({ seq }) => seq));
    assert.equal(shown.length, events.length, 'a driver is in an event once');
    assert.deepEqual(shown, [...shown].sort((a, b) => a - b), 'never backwards');
    for (const [i, { at }] of events.entries()) {
      if (i > 0) assert.ok(at - events[i - 1].at >= 99, `${at - events[i - 1].at} ms between two events`);
    }
  }
});

test('what was acknowledged survives a crash', async () => {
  const { companyId, driver, staff, phone } = await fleet();
  const now = Date.now();
  const trail = Array.from({ length: 20 }, (_, i) => ({ lat: i, lng: i, ts: now - 20_000 + i * 1000 }));
  await Promise.all(trail.map((position) => accepted(phone, 'tracking:update', position)));
  await server.crash();
  const watcher = await server.connect(staff);
  assert.deepEqual((await nextEvent(watcher, 'tracking:snapshot')).positions, [{ driverId: driver.userId, companyId, ...trail.at(-1) }]);
  assert.deepEqual((await track(staff, driver)).body.items, trail.map((position) => ({ driverId: driver.userId, companyId, ...position })));
  assert.equal((await server.rest(staff, 'GET', `/drivers/${driver.userId}`)).body.status, 'offline');
});
