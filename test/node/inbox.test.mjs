// Notices in the inbox: found by whoever was away, until read, retracted or expired.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { NO_LIMITS, accepted, assertProblem, heard, nextEvent, person, refused, settle, startServer, test } from './helpers.mjs';

// No notice here is addressed to a whole role, which would fill the inboxes of the tests that follow.
const server = await startServer(NO_LIMITS);
after(() => server.stop());

const admin = person('admin');

/** Sends a notice by REST and returns it. */
async function send(draft) {
  const { status, body } = await server.rest(admin, 'POST', '/notices', { title: 'Notice', ...draft });
  assert.equal(status, 201, JSON.stringify(body));
  return body;
}

test('who was away finds the notices on connecting, oldest first, until they are read', async () => {
  const driver = person('driver', { companyId: 'away' });
  const audiences = [{ users: [driver.userId] }, { companies: [driver.companyId] }, { users: [driver.userId, 'x'] }];
  const sent = [];
  for (const audience of audiences) sent.push(await send({ audience }));
  const [first, second, third] = sent.map(({ id }) => id);

  const socket = await server.connect(driver);
  const forReaders = ({ audience, ...rest }) => rest;
  assert.deepEqual(await nextEvent(socket, 'system:inbox'), { unread: 3, notices: sent.map(forReaders) });
  assert.deepEqual(await accepted(socket, 'system:read', { id: second }), { status: 'ok', unread: 2 });
  assert.deepEqual(await accepted(socket, 'system:read', { id: second }), { status: 'ok', unread: 2 });
  const left = await accepted(socket, 'system:inbox', {});
  assert.deepEqual([left.unread, left.notices.map(({ id }) => id)], [2, [first, third]]);

  const page = await accepted(socket, 'system:inbox', { limit: 1 });
  assert.deepEqual([page.unread, page.notices.map(({ id }) => id), page.hasMore], [2, [first], true]);
  const next = await accepted(socket, 'system:inbox', { limit: 1, before: first });
  assert.deepEqual([next.notices.map(({ id }) => id), next.hasMore], [[third], undefined]);
  const rest = (await server.rest(driver, 'GET', '/me/inbox?limit=1')).body;
  assert.deepEqual([rest.items.map(({ id }) => id), rest.unread], [[first], 2]);
  const restNext = (await server.rest(driver, 'GET', `/me/inbox?limit=1&cursor=${rest.nextCursor}`)).body;
  assert.deepEqual([restNext.items.map(({ id }) => id), restNext.nextCursor], [[third], undefined]);

  const read = await server.rest(driver, 'POST', '/me/inbox/read', { ids: [first, third] });
  assert.deepEqual([read.status, read.body], [200, { unread: 0 }]);
  const again = await server.connect(driver, { namespace: '/system' });
  assert.deepEqual(await nextEvent(again, 'system:inbox'), { unread: 0, notices: [] });

  const newer = await send({ audience: audiences[0] });
  await nextEvent(again, 'system:notice');
  assert.equal((await accepted(again, 'system:read', { ids: [newer.id] })).unread, 0);
});

test('only what is addressed to a reader can be read', async () => {
  const { id } = await send({ audience: { users: ['somebody-else'] } });
  const vendor = person('vendor');
  const socket = await server.connect(vendor);
  for (const payload of [{ id }, { ids: [id] }, { id: 'unknown' }]) await refused(socket, 'not_found', undefined, 'system:read', payload);
  assertProblem(await server.rest(vendor, 'POST', '/me/inbox/read', { ids: [id] }), 404, 'not_found');
  await refused(socket, 'invalid_payload', 'id', 'system:read', {});
  await refused(socket, 'invalid_payload', 'id', 'system:read', { id, ids: [id] });
  await refused(socket, 'invalid_payload', 'ids[1]', 'system:read', { ids: [id, ''] });
});

test('a retracted notice leaves screens and inboxes', async () => {
  const [online, away] = [person('vendor'), person('vendor')];
  const [socket, outsider] = [await server.connect(online), await server.connect(person('vendor'))];
  const { id } = await send({ audience: { users: [online.userId, away.userId] } });
  await nextEvent(socket, 'system:notice');
  const gone = await server.rest(admin, 'DELETE', `/notices/${id}`);
  assert.deepEqual([gone.status, gone.body], [204, undefined]);
  assert.deepEqual(await nextEvent(socket, 'system:retract'), { id });
  assert.deepEqual(await nextEvent(socket, 'system:unread'), { unread: 0 });
  for (const who of [online, away]) {
    assert.deepEqual((await server.rest(who, 'GET', '/me/inbox')).body, { items: [], unread: 0 });
  }
  await settle(outsider);
  assert.deepEqual(heard(outsider, 'system:retract'), []);
  assertProblem(await server.rest(admin, 'DELETE', `/notices/${id}`), 404, 'not_found');
  assertProblem(await server.rest(admin, 'GET', `/notices/${id}`), 404, 'not_found');
  await refused(socket, 'not_found', undefined, 'system:read', { id });
});

test('a reading is told to all of the reader\'s sockets, by whichever door it comes', async () => {
  const vendor = person('vendor');
  const sent = [];
  for (let i = 0; i < 4; i += 1) sent.push((await send({ audience: { users: [vendor.userId, 'x'] } })).id);
  const sockets = await Promise.all(['/', '/system', '/notifications'].map((namespace) => server.connect(vendor, { namespace })));
  const outsider = await server.connect(person('vendor'));
  const told = async (unread) => { for (const socket of sockets) assert.deepEqual(await nextEvent(socket, 'system:unread'), { unread }); };
  assert.equal((await accepted(sockets[0], 'system:read', { id: sent[1] })).unread, 3);
  await told(3);
  assert.deepEqual((await server.rest(vendor, 'POST', '/me/inbox/read', { id: sent[3] })).body, { unread: 2 });
  await told(2);
  const history = async (query) => (await server.rest(vendor, 'GET', `/me/inbox?${query}`)).body;
  assert.deepEqual((await history('state=all')).items.map(({ id, read }) => [id, read]), [[sent[3], true], [sent[2], false], [sent[1], true], [sent[0], false]]);
  assert.deepEqual((await history('state=unread')).items.map(({ id }) => id), [sent[0], sent[2]]);
  const page = await history('state=read&limit=1');
  assert.deepEqual([page.items.map(({ id }) => id), page.unread], [[sent[3]], 2]);
  const next = await history(`state=read&limit=1&cursor=${page.nextCursor}`);
  assert.deepEqual([next.items.map(({ id }) => id), next.nextCursor], [[sent[1]], undefined]);
  assertProblem(await server.rest(vendor, 'GET', `/me/inbox?cursor=${page.nextCursor}`), 422, 'invalid_payload', 'cursor');
  assertProblem(await server.rest(vendor, 'GET', '/me/inbox?state=old'), 422, 'invalid_payload', 'state');
  assert.equal((await accepted(sockets[2], 'system:read', { all: true })).unread, 0);
  await told(0);
  assert.deepEqual((await server.rest(vendor, 'POST', '/me/inbox/read', { all: true })).body, { unread: 0 });
  await told(0);
  for (const payload of [{ all: false }, { all: true, id: sent[0] }, { all: 1 }]) {
    const { code } = await sockets[0].emitWithAck('system:read', payload);
    assert.equal(code, 'invalid_payload', JSON.stringify(payload));
  }
  await settle(outsider);
  assert.deepEqual(heard(outsider, 'system:unread'), []);
});

test('an expired notice leaves screens and inboxes', async () => {
  const vendor = person('vendor');
  const [watching, outsider] = [await server.connect(vendor), await server.connect(person('vendor'))];
  const { id } = await send({ audience: { users: [vendor.userId] }, expiresAt: Date.now() + 700 });
  assert.equal((await server.rest(vendor, 'GET', '/me/inbox')).body.unread, 1);
  await nextEvent(watching, 'system:notice');
  assert.deepEqual(await nextEvent(watching, 'system:retract'), { id });
  assert.deepEqual(await nextEvent(watching, 'system:unread'), { unread: 0 });
  await settle(outsider);
  assert.deepEqual(heard(outsider, 'system:retract'), []);
  assert.equal((await server.rest(admin, 'GET', `/notices/${id}`)).status, 200, 'admins still see what they sent');
  assert.deepEqual((await server.rest(vendor, 'GET', '/me/inbox')).body, { items: [], unread: 0 });
  const socket = await server.connect(vendor);
  assert.deepEqual(await nextEvent(socket, 'system:inbox'), { unread: 0, notices: [] });
});
