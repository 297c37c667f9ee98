// What admins do to people's connections, as their official clients meet it.
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { accepted, assertFailure, assertProblem, ask, heard, nextEvent, nowSeconds, person, renew, settle, startServer, test } from './helpers.mjs';

const server = await startServer();
after(() => server.stop());

/** How official clients come back, only sooner. */
const PATIENCE = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };
const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']];
const root = person('admin');

/** Someone whose token says that it was issued a minute ago. */
function known(role) {
  const who = person(role);
  return { ...who, token: renew(who, { iat: nowSeconds() - 60 }) };
}

describe('revoked', { concurrency: true }, () => {
  for (const transports of TRANSPORTS) {
    test(`the client ends within a second, comes back by itself, and is refused, over ${transports.join(' → ')}`, async () => {
      const who = known('vendor');
      const socket = server.open(who, { ...PATIENCE, transports });
      await nextEvent(socket, 'connect');
      const begin = Date.now();
      const answer = await server.rest(root, 'POST', `/users/${who.userId}/revoke`, { reason: 'The phone was stolen.' });
      assert.equal(answer.status, 200);
      assert.match(await nextEvent(socket, 'disconnect'), /^transport (close|error)$/, 'after a packet the client would stay away without knowing why');
      assert.ok(Date.now() - begin < 1000, `ended after ${Date.now() - begin} ms`);
      const refusal = await nextEvent(socket, 'connect_error');
      assert.equal(refusal.message, 'Token revoked');
      assert.deepEqual(refusal.data, { code: 'auth_invalid' });
      assertProblem(await server.rest(who, 'GET', '/me'), 401, 'auth_invalid');
    });
  }

  test('a token of a later login is let in, and auth:refresh takes none of before', async () => {
    const who = known('vendor');
    assert.equal((await server.rest(root, 'POST', `/users/${who.userId}/revoke`)).status, 200);
    const later = { ...who, token: renew(who, { iat: nowSeconds() + 1 }) };
    const socket = await server.connect(later);
    assertFailure(await ask(socket, 'auth:refresh', { token: who.token }), 'auth_invalid', 'token');
    assertFailure(await ask(socket, 'auth:refresh', { token: renew(who) }), 'auth_invalid', 'token');
    await settle(socket);
    assert.deepEqual(heard(socket, 'disconnect'), []);
  });

  test('others stay', async () => {
    const [who, other] = [known('vendor'), known('vendor')];
    const socket = await server.connect(other);
    assert.equal((await server.rest(root, 'POST', `/users/${who.userId}/revoke`)).status, 200);
    await settle(socket);
    assert.deepEqual(heard(socket, 'disconnect'), []);
  });
});

describe('disconnected', { concurrency: true }, () => {
  for (const transports of TRANSPORTS) {
    test(`the client stays away until it is told to connect, over ${transports.join(' → ')}`, async () => {
      const who = person('vendor');
      const sockets = await Promise.all(['/', '/chat'].map((namespace) => server.connect(who, { ...PATIENCE, namespace, transports })));
      const clock = await server.connect(person('vendor'));
      assert.equal((await server.rest(root, 'POST', `/users/${who.userId}/disconnect`)).status, 200);
      for (const socket of sockets) assert.equal(await nextEvent(socket, 'disconnect'), 'io server disconnect');
      await settle(clock);
      await settle(clock); // several round trips, and more than its delays of coming back
      const list = await server.rest(root, 'GET', `/users/${who.userId}/sockets`);
      assert.deepEqual(list.body, { items: [], total: 0, unanswered: [] });
      sockets[0].connect();
      await nextEvent(sockets[0], 'connect');
      await accepted(sockets[0], 'presence:list', {});
    });
  }
});

test('an admin sees where somebody is connected, and nothing to take it over by', async () => {
  const who = person('vendor');
  const socket = await server.connect(who, { transports: ['polling'], extraHeaders: { Cookie: 'session=biscuit' } });
  const { status, body } = await server.rest(root, 'GET', `/users/${who.userId}/sockets`);
  assert.equal(status, 200);
  assert.equal(body.total, 1);
  assert.equal(body.items[0].namespace, '/');
  assert.equal(body.items[0].transport, 'polling');
  assert.ok(body.items[0].session.length <= 12 && socket.io.engine.id.split('.').at(-1).startsWith(body.items[0].session));
  const shown = JSON.stringify(body);
  for (const secret of [who.token, 'biscuit', socket.id, socket.io.engine.id]) assert.ok(!shown.includes(secret), `shows ${secret}`);
});
