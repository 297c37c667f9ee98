// Notices in the inbox: found by whoever was away, until read, retracted or expired.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { setTimeout as timer } from 'node:timers/promises';
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
  assert.deepEqual(await nextEvent(socket, 'system:inbox'), { unread: 3, notices: sent });
  assert.deepEqual(await accepted(socket, 'system:read', { id: second }), { status: 'ok', unread: 2 });
  assert.deepEqual(await accepted(socket, 'system:read', { id: second }), { status: 'ok', unread: 2 });
  const left = await accepted(socket, 'system:inbox', {});
  assert.deepEqual([left.unread, left.notices.map(({ id }) => id)], [2, [first, third]]);

  const page = await accepted(socket, 'system:inbox', { limit: 1 });
  assert.deepEqual([page.unread, page.notices.map(({ id }) => id)], [2, [first]]);
  const next = await accepted(socket, 'system:inbox', { limit: 1, before: first });
  assert.deepEqual(next.notices.map(({ id }) => id), [third]);
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
  for (const who of [online, away]) {
    assert.deepEqual((await server.rest(who, 'GET', '/me/inbox')).body, { items: [], unread: 0 });
  }
  await settle(outsider);
  assert.deepEqual(heard(outsider, 'system:retract'), []);
  assertProblem(await server.rest(admin, 'DELETE', `/notices/${id}`), 404, 'not_found');
  assertProblem(await server.rest(admin, 'GET', `/notices/${id}`), 404, 'not_found');
  await refused(socket, 'not_found', undefined, 'system:read', { id });
});

test('an expired notice is in no inbox', async () => {
  const vendor = person('vendor');
  const expiresAt = Date.now() + 700;
  await send({ audience: { users: [vendor.userId] }, expiresAt });
  assert.equal((await server.rest(vendor, 'GET', '/me/inbox')).body.unread, 1);
  await timer(expiresAt - Date.now() + 10);
  assert.deepEqual((await server.rest(vendor, 'GET', '/me/inbox')).body, { items: [], unread: 0 });
  const socket = await server.connect(vendor);
  assert.deepEqual(await nextEvent(socket, 'system:inbox'), { unread: 0, notices: [] });
});
