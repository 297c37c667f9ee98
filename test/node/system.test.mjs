// Notices: who may send them, who hears them, once each.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import {
  NO_LIMITS, accepted, assertProblem, heard, nextEvent, person, refused, settle, startServer, test,
} from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

const admin = person('admin');
let numbers = 0;
const fresh = (prefix) => `${prefix}-${numbers += 1}`;

/** Sends a notice by REST and returns it. */
async function send(draft, headers) {
  const { status, body } = await server.rest(admin, 'POST', '/notices', { title: 'Notice', ...draft }, headers);
  assert.equal(status, 201, JSON.stringify(body));
  return body;
}

const ids = (socket) => heard(socket, 'system:notice').map(({ id }) => id);

test('a notice: its shape, and that the audience hears it', async () => {
  const vendor = person('vendor');
  const socket = await server.connect(vendor);
  const draft = {
    title: 'Ring road closed', body: 'Use <b>the bridge</b> & mind the "gap".', severity: 'warning',
    audience: { users: [vendor.userId] }, data: { road: ['A1', null, 1.50], nested: { ok: true } },
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(), requireAck: true,
  };
  const { status, headers, body: notice } = await server.rest(admin, 'POST', '/notices', draft);
  assert.equal(status, 201);
  const { id, createdAt, ...rest } = notice;
  assert.equal(headers.get('location'), `/api/v1/notices/${id}`);
  assert.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Math.abs(new Date(createdAt) - Date.now()) < 60_000);
  assert.deepEqual(rest, { ...draft, from: { userId: admin.userId, username: admin.username } });
  const { audience, ...forReaders } = notice; // whom it is for besides is the senders' to know
  assert.deepEqual(await nextEvent(socket, 'system:notice'), forReaders);
  assert.deepEqual((await server.rest(admin, 'GET', `/notices/${id}`)).body, notice);
  assert.deepEqual((await server.rest(vendor, 'GET', '/me/inbox')).body.items, [{ ...forReaders, read: false }]);

  const plain = await send({ title: 'Plain', audience: { users: [vendor.userId] }, expiresAt: Date.now() + 60_000 });
  assert.deepEqual([plain.body, plain.severity, plain.requireAck, typeof plain.expiresAt, 'data' in plain], ['', 'info', false, 'string', false]);
});

test('audiences: who is meant hears it, who is not does not', async () => {
  const [red, blue] = [fresh('red'), fresh('blue')];
  const people = {
    redDriver: person('driver', { companyId: red }), redStaff: person('company', { companyId: red }),
    blueDriver: person('driver', { companyId: blue }), blueStaff: person('company', { companyId: blue }),
    provider: person('provider'), vendor: person('vendor'), admin,
  };
  const names = Object.keys(people);
  const sockets = Object.fromEntries(await Promise.all(names.map(async (name, i) =>
    [name, await server.connect(people[name], { namespace: ['/', '/system', '/notifications'][i % 3] })])));
  for (const [audience, meant] of [
    [{ all: true }, names],
    [{ roles: ['driver', 'vendor'] }, ['redDriver', 'blueDriver', 'vendor']],
    [{ users: [people.provider.userId, 'nobody'] }, ['provider']],
    [{ companies: [red] }, ['redDriver', 'redStaff']],
    [{ companyRoles: [{ companyId: red, role: 'driver' }, { companyId: blue, role: 'company' }] }, ['redDriver', 'blueStaff']],
    [{ companies: [blue], roles: ['admin'], users: [people.vendor.userId] }, ['blueDriver', 'blueStaff', 'admin', 'vendor']],
    [{ companyRoles: [{ companyId: red, role: 'vendor' }] }, []],
  ]) {
    const { id } = await send({ audience });
    await Promise.all(meant.map((name) => nextEvent(sockets[name], 'system:notice', (notice) => notice.id === id)));
    await Promise.all(names.map((name) => settle(sockets[name])));
    assert.deepEqual(names.filter((name) => ids(sockets[name]).includes(id)).sort(), [...meant].sort(), JSON.stringify(audience));
    for (const name of names) {
      const { items } = (await server.rest(people[name], 'GET', '/me/inbox?limit=200')).body;
      assert.equal(items.some((notice) => notice.id === id), meant.includes(name), `inbox of ${name}: ${JSON.stringify(audience)}`);
    }
  }
});

test('who matches twice gets a notice once a socket', async () => {
  const companyId = fresh('twice');
  const driver = person('driver', { companyId });
  const sockets = await Promise.all([
    server.connect(driver), server.connect(driver, { transports: ['polling'] }), server.connect(driver, { namespace: '/system' }),
    server.connect(driver, { namespace: '/notifications' }),
  ]);
  sockets.push(...await server.connectAll(driver, ['/', '/system', '/notifications']));
  const { id } = await send({
    audience: { all: true, roles: ['driver'], users: [driver.userId], companies: [companyId], companyRoles: [{ companyId, role: 'driver' }] },
  });
  for (const socket of sockets) {
    await nextEvent(socket, 'system:notice', (notice) => notice.id === id);
    await settle(socket);
    assert.deepEqual(ids(socket).filter((seen) => seen === id), [id]);
  }
  assert.equal((await server.rest(driver, 'GET', '/me/inbox')).body.items.filter((notice) => notice.id === id).length, 1);
});

test('a request repeated under its Idempotency-Key is the first one', async () => {
  const vendor = person('vendor');
  const socket = await server.connect(vendor);
  const draft = { title: 'Once', body: 'only', audience: { users: [vendor.userId] } };
  const key = { 'Idempotency-Key': fresh('key') };
  const answers = await Promise.all(Array.from({ length: 4 }, () => server.rest(admin, 'POST', '/notices', draft, key)));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 201]);
  for (const { body } of answers) assert.deepEqual(body, answers[0].body);
  assertProblem(await server.rest(admin, 'POST', '/notices', { ...draft, body: 'another' }, key), 409, 'conflict');
  const colleague = await server.rest(person('admin'), 'POST', '/notices', draft, key);
  assert.equal(colleague.status, 201, 'keys of another admin are other keys');
  const unkeyed = [await send(draft), await send(draft)];
  await nextEvent(socket, 'system:notice', ({ id }) => id === unkeyed[1].id);
  await settle(socket);
  assert.deepEqual(ids(socket), [answers[0], colleague].map(({ body }) => body.id).concat(unkeyed.map(({ id }) => id)));
  assertProblem(await server.rest(admin, 'POST', '/notices', draft, { 'Idempotency-Key': 'k'.repeat(256) }), 422, 'invalid_payload', 'Idempotency-Key');
});

test('an Idempotency-Key holds across a crash', async () => {
  const key = { 'Idempotency-Key': fresh('key') };
  const draft = { title: 'Kept', audience: { users: ['somebody'] } };
  const { id } = await send(draft, key);
  await server.crash();
  const { status, body } = await server.rest(admin, 'POST', '/notices', draft, key);
  assert.deepEqual([status, body.id], [200, id]);
});

test('a clientId by socket is the Idempotency-Key by REST', async () => {
  const speaker = await server.connect(admin);
  const [draft, clientId] = [{ title: 'Once', audience: { users: ['somebody'] } }, fresh('key')];
  const { notice } = await accepted(speaker, 'system:broadcast', { ...draft, clientId });
  assert.deepEqual((await accepted(speaker, 'system:broadcast', { ...draft, title: ' Once ', clientId })).notice, notice);
  const { status, body } = await server.rest(admin, 'POST', '/notices', draft, { 'Idempotency-Key': clientId });
  assert.deepEqual([status, body], [200, notice]);
  await refused(speaker, 'conflict', undefined, 'system:broadcast', { ...draft, title: 'Another', clientId });
  assertProblem(await server.rest(admin, 'POST', '/notices', { ...draft, title: 'Another' }, { 'Idempotency-Key': clientId }), 409, 'conflict');
});

test('what the server does not understand is not dropped', async () => {
  const speaker = await server.connect(admin, { namespace: '/notifications' });
  const draft = { title: 'Spread', audience: { users: ['somebody'] } };
  for (const [event, ...args] of [['system:broadcast', draft, draft], ['system:broadcast', 'title', 'body'], ['system:read', { all: true }, {}], ['system:inbox', {}, 1]]) {
    const { code } = await speaker.emitWithAck(event, ...args);
    assert.equal(code, 'invalid_payload', event);
  }
  for (const path of ['/notices?q=x', '/notices?company=acme', '/me/inbox?read=true', '/me/inbox?before=x']) {
    assertProblem(await server.rest(admin, 'GET', path), 400, 'invalid_payload', path.match(/\?(\w+)/)[1]);
  }
  const { items } = (await server.rest(admin, 'GET', '/notices?limit=200')).body;
  assert.deepEqual(items.filter(({ title }) => title === 'Spread' || title === 'title'), []);
});

test('admins broadcast by socket as by REST', async () => {
  const vendor = person('vendor');
  const [speaker, listener] = [await server.connect(admin, { namespace: '/system' }), await server.connect(vendor)];
  const { notice } = await accepted(speaker, 'system:broadcast', { title: 'By socket', severity: 'critical', audience: { users: [vendor.userId] } });
  const { audience, ...forReaders } = notice;
  assert.deepEqual(await nextEvent(listener, 'system:notice'), forReaders);
  assert.deepEqual([notice.title, notice.severity, notice.from.userId], ['By socket', 'critical', admin.userId]);
  assert.deepEqual((await server.rest(admin, 'GET', `/notices/${notice.id}`)).body, notice);
});

test('nobody but admins sends, lists, reads by id or retracts', async () => {
  const { id } = await send({ audience: { all: true } });
  for (const role of ['driver', 'company', 'provider', 'vendor']) {
    const who = person(role);
    const socket = await server.connect(who, { namespace: '/system' });
    await refused(socket, 'forbidden', undefined, 'system:broadcast', { title: 'x', audience: { all: true } });
    for (const [method, path, body] of [
      ['POST', '/notices', { title: 'x', audience: { all: true } }], ['GET', '/notices'], ['GET', `/notices/${id}`], ['DELETE', `/notices/${id}`],
    ]) {
      assertProblem(await server.rest(who, method, path, body), 403, 'forbidden');
    }
    await settle(socket);
    assert.deepEqual(ids(socket), []);
  }
  const anonymous = await server.rest(undefined, 'GET', '/notices');
  assertProblem(anonymous, 401, 'auth_required');
  assert.match(anonymous.headers.get('www-authenticate'), /^Bearer/);
});

test('the list of notices pages, newest first', async () => {
  const sent = [];
  for (let i = 0; i < 5; i += 1) sent.unshift((await send({ title: `List ${i}`, audience: { users: ['list-reader'] } })).id);
  const listed = [];
  for (let cursor = ''; cursor !== undefined && listed.length < sent.length;) {
    const { status, body } = await server.rest(admin, 'GET', `/notices?limit=2&cursor=${encodeURIComponent(cursor)}`);
    assert.equal(status, 200);
    assert.ok(body.items.length <= 2);
    listed.push(...body.items.map(({ id }) => id));
    cursor = body.nextCursor;
  }
  assert.deepEqual(listed.slice(0, 5), sent);
});

test('wrong notices are refused by field, by socket and by REST alike', async () => {
  const socket = await server.connect(admin);
  const audience = { all: true };
  for (const [code, field, draft] of [
    ['invalid_payload', 'title', { audience }], ['invalid_payload', 'title', { title: '', audience }],
    ['invalid_payload', 'title', { title: ' \u00a0\u3000\u200b\u2800\u3164\u00ad', audience }], ['invalid_payload', 'expiresAt', { title: 'x', audience, expiresAt: 8.64e15 }],
    ['invalid_payload', 'title', { title: 5, audience }], ['too_large', 'title', { title: 'x'.repeat(201), audience }],
    ['too_large', 'body', { title: 'x', body: 'x'.repeat(5001), audience }],
    ['invalid_payload', 'severity', { title: 'x', severity: 'fatal', audience }],
    ['invalid_payload', 'audience', { title: 'x' }], ['invalid_payload', 'audience', { title: 'x', audience: {} }],
    ['invalid_payload', 'audience', { title: 'x', audience: { all: false, users: [] } }],
    ['invalid_payload', 'audience', { title: 'x', audience: 'all' }],
    ['invalid_payload', 'audience.all', { title: 'x', audience: { all: 'yes' } }],
    ['invalid_payload', 'audience.roles[0]', { title: 'x', audience: { roles: ['boss'] } }],
    ['invalid_payload', 'audience.users[1]', { title: 'x', audience: { users: ['a', 'b c'] } }],
    ['invalid_payload', 'audience.companyRoles[0].role', { title: 'x', audience: { companyRoles: [{ companyId: 'a' }] } }],
    ['invalid_payload', 'data', { title: 'x', audience, data: [1] }], ['invalid_payload', 'data', { title: 'x', audience, data: 'x' }],
    ['too_large', 'data', { title: 'x', audience, data: { x: 'x'.repeat(16 * 1024) } }],
    ['invalid_payload', 'expiresAt', { title: 'x', audience, expiresAt: Date.now() - 1000 }],
    ['invalid_payload', 'expiresAt', { title: 'x', audience, expiresAt: 'tomorrow' }],
    ['invalid_payload', 'requireAck', { title: 'x', audience, requireAck: 1 }],
  ]) {
    await refused(socket, code, field, 'system:broadcast', draft);
    assertProblem(await server.rest(admin, 'POST', '/notices', draft), { too_large: 413, invalid_payload: 422 }[code], code, field);
  }
  await settle(socket);
  assert.deepEqual(heard(socket, 'system:notice').filter(({ title }) => title === 'x'), []);
});

test('REST refuses what is no request of its own', async () => {
  const draft = { title: 'x', audience: { all: true } };
  assertProblem(await server.rest(admin, 'POST', '/notices', '{"title":'), 400, 'invalid_payload');
  assertProblem(await server.rest(admin, 'POST', '/notices', ''), 400, 'invalid_payload');
  assertProblem(await server.rest(admin, 'POST', '/notices', `${JSON.stringify(draft)} {}`), 400, 'invalid_payload');
  assertProblem(await server.rest(admin, 'POST', '/notices', '[]'), 422, 'invalid_payload');
  assertProblem(await server.rest(admin, 'POST', '/notices', draft, { 'Content-Type': 'text/plain' }), 415, 'invalid_payload', 'Content-Type');
  assertProblem(await server.rest(admin, 'POST', '/notices', { ...draft, data: { x: 'x'.repeat(101_000) } }), 413, 'too_large');
  assertProblem(await server.rest(admin, 'GET', '/nothing'), 404, 'not_found');
  assertProblem(await server.rest(admin, 'PATCH', '/notices'), 405, 'not_found');
});
