// The end of a token: announced, put off by a newer token, and kept to.
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { accepted, assertProblem, heard, nextEvent, nowSeconds, person, renew, settle, startServer, test } from './helpers.mjs';

const server = await startServer();
after(() => server.stop());

/** How long after its token's end a socket may still be there, in milliseconds. */
const TOLERANCE = 1500;

describe('the end of a token', { concurrency: true }, () => {
  test('a token about to end is announced at once and ends the connection on time', async () => {
    const exp = nowSeconds() + 3;
    const who = person('driver', { exp });
    await Promise.all(['/', '/chat', '/tracking', '/system'].flatMap((namespace) => [['websocket'], ['polling']].map(async (transports) => {
      const socket = await server.connect(who, { namespace, transports });
      const { expiresAt } = await nextEvent(socket, 'auth:expiring', undefined, 1000);
      assert.equal(expiresAt, exp * 1000);
      const reason = await nextEvent(socket, 'disconnect');
      const late = Date.now() - exp * 1000;
      assert.ok(late >= -5 && late < TOLERANCE, `${namespace}: disconnected ${late} ms after the token's end`);
      assert.match(reason, /^transport (close|error)$/, 'after a packet the client would stay away for ever');
      assert.equal(heard(socket, 'auth:expiring').length, 1);
    })));
    assert.deepEqual(await server.refusal(who), { message: 'Token expired', data: { code: 'auth_expired' } });
    assertProblem(await server.rest(who, 'GET', '/me'), 401, 'auth_expired');
  });

  test('auth:refresh puts the end off', async () => {
    const exp = nowSeconds() + 2;
    const who = person('company', { companyId: 'acme', exp });
    // The socket that does not refresh is the clock by which the other one outlives its first token.
    const [refreshed, clock] = await Promise.all([server.connect(who), server.connect(who)]);
    await nextEvent(refreshed, 'auth:expiring');
    const later = nowSeconds() + 3600;
    const ack = await accepted(refreshed, 'auth:refresh', { token: renew(who, { exp: later }) });
    assert.deepEqual(ack, { status: 'ok', expiresAt: later * 1000 });
    await nextEvent(clock, 'disconnect');
    refreshed.auth = { token: renew(who) };
    await settle(refreshed);
    assert.deepEqual(heard(refreshed, 'disconnect'), []);
    assert.equal(heard(refreshed, 'auth:expiring').length, 1);
  });

  test('a refreshed token is announced and ends in its turn', async () => {
    const who = person('vendor', { exp: nowSeconds() + 2 });
    const socket = await server.connect(who, { namespace: '/system' });
    await nextEvent(socket, 'auth:expiring');
    const exp = nowSeconds() + 3;
    await accepted(socket, 'auth:refresh', { token: renew(who, { exp }) });
    assert.equal((await nextEvent(socket, 'auth:expiring')).expiresAt, exp * 1000);
    await nextEvent(socket, 'disconnect');
    assert.ok(Date.now() >= exp * 1000 - 5);
  });

  test('a token with an hour to go is not announced', async () => {
    const socket = await server.connect(person('vendor'));
    await settle(socket);
    assert.deepEqual(heard(socket, 'auth:expiring'), []);
  });
});
