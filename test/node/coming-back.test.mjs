// Who is sent away for something that passes comes back by itself, with the token that its app gives it then.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, describe } from 'node:test';
import { Manager } from 'socket.io-client';
import { accepted, ask, heard, nextEvent, nextOf, nowSeconds, person, renew, startServer, stopAll, test } from './helpers.mjs';
import { record } from './lib/events.mjs';

const [server, pinging] = await Promise.all([
  startServer({ ROLECALL_RATE_FAILURE: '1/1s:5', ROLECALL_MAX_SOCKETS_PER_USER: '5' }),
  startServer({ ROLECALL_PING_INTERVAL: '200ms', ROLECALL_PING_TIMEOUT: '400ms' }),
]);
after(() => stopAll(server, pinging));

/** How official clients come back, only sooner. */
const PATIENCE = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };
const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']];

/** An app's auth callback: what the n-th question is answered with. */
const answering = (...tokens) => {
  let asked = 0;
  return (give) => {
    give({ token: tokens[Math.min(asked, tokens.length - 1)] });
    asked += 1;
  };
};

/** Stops everything in this process, as a phone that sleeps does. */
const sleep = (milliseconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

// Not side by side: who sleeps here sleeps for all.
for (const [transports, how, from] of [
  [['websocket'], 'cut short by the token', server],
  [['polling'], 'cut short by the token', server],
  [['polling', 'websocket'], 'longer than its pings are waited for', pinging],
]) {
  test(`a token that ended in a sleep ${how}: back with a fresh one, over ${transports.join(' → ')}`, async () => {
    const who = person('driver', { companyId: 'acme', exp: nowSeconds() + 2 });
    const socket = from.open(undefined, { ...PATIENCE, transports, auth: answering(who.token, renew(who)) });
    await nextEvent(socket, 'connect');
    sleep(2200);
    assert.match(await nextEvent(socket, 'disconnect'), /^(transport close|transport error|ping timeout)$/);
    const kept = Array.from({ length: 5 }, (_, seq) => accepted(socket, 'tracking:update', { lat: 52, lng: 13, seq, ts: Date.now() + seq }));
    await Promise.all([nextEvent(socket, 'connect'), ...kept]);
    assert.deepEqual(heard(socket, 'connect_error'), []);
  });
}

describe('sent away for what passes', { concurrency: true }, () => {
  test('one token ends: all namespaces of the connection come back, each with what its app gives it', async () => {
    const who = person('vendor');
    const manager = new Manager(server.url, { ...PATIENCE, transports: ['websocket'], autoConnect: false });
    const [chat, system] = ['/chat', '/system'].map((name) => record(manager.socket(name, { auth: (give) => give({ token: renew(who) }) })));
    for (const socket of [chat, system]) socket.connect();
    await Promise.all([chat, system].map((socket) => nextEvent(socket, 'connect')));
    const exp = nowSeconds() + 2;
    await accepted(system, 'auth:refresh', { token: renew(who, { exp }) });
    await nextEvent(system, 'auth:expiring');
    for (const socket of [chat, system]) {
      assert.equal(await nextEvent(socket, 'disconnect'), 'transport close');
      await nextEvent(socket, 'connect');
    }
    assert.ok(Date.now() >= exp * 1000 - 5);
    await accepted(chat, 'room:join', 'coming-back');
    await accepted(system, 'system:inbox', {});
    for (const socket of [chat, system]) socket.disconnect();
  });

  for (const transports of TRANSPORTS) {
    test(`abuse: back by itself, over ${transports.join(' → ')}`, async () => {
      const socket = server.open(person('vendor'), { ...PATIENCE, transports });
      await nextEvent(socket, 'connect');
      for (let i = 0; i < 50; i += 1) socket.emit('nope', i);
      assert.match(await nextEvent(socket, 'disconnect'), /^transport (close|error)$/);
      await nextEvent(socket, 'connect');
      await accepted(socket, 'room:join', 'coming-back');
    });
  }

  test('a token that has ended when it is presented: refused for good, unless the app connects again', async () => {
    const who = person('vendor');
    const ended = renew(who, { exp: nowSeconds() - 10 });
    const [left, app] = [0, 1].map(() => server.open(undefined, { ...PATIENCE, auth: answering(ended, renew(who)) }));
    app.on('connect_error', ({ data }) => { // as docs/guide.md has it
      if (!app.active && data?.code === 'auth_expired') setTimeout(() => app.connect(), 50);
    });
    for (const socket of [left, app]) {
      const { message, data } = await nextEvent(socket, 'connect_error');
      assert.deepEqual({ message, data }, { message: 'Token expired', data: { code: 'auth_expired' } });
    }
    await nextEvent(app, 'connect');
    await accepted(app, 'room:join', 'coming-back');
    assert.equal(left.active, false);
    assert.equal(left.io.engine.readyState, 'closed');
  });

  test('sockets too many: refused while all the others answer, let in when one has left', async () => {
    const who = person('vendor');
    const others = await Promise.all(Array.from({ length: 5 }, () => server.connect(who)));
    const socket = server.open(who, PATIENCE);
    socket.on('connect_error', ({ data }) => { // as docs/guide.md has it
      if (!socket.active && data?.code === 'too_many_connections') setTimeout(() => socket.connect(), 50);
    });
    const { name, payload } = await nextOf(socket, ['connect', 'connect_error']);
    assert.deepEqual([name, payload?.data], ['connect_error', { code: 'too_many_connections' }]);
    for (const other of others) assert.equal((await ask(other, 'room:join', 'coming-back')).status, 'ok');
    others[2].disconnect();
    await nextEvent(socket, 'connect');
    for (const other of others.toSpliced(2, 1)) assert.deepEqual(heard(other, 'disconnect'), []);
  });
});

/** An identity provider that tells its key once it is told to. */
async function startProvider() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const keys = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'EdDSA', use: 'sig' }] });
  const provider = { tells: false };
  const http = createServer((_, response) => {
    response.writeHead(provider.tells ? 200 : 503, { 'Content-Type': 'application/json' }).end(provider.tells ? keys : '{}');
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  provider.url = `http://127.0.0.1:${http.address().port}/keys`;
  provider.stop = () => http.close().closeAllConnections();
  provider.token = (claims) => {
    const signed = [{ alg: 'EdDSA', kid: 'k' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`;
  };
  return provider;
}

test('an identity provider is down, and a user connects too often: nobody is refused for good, everybody let in', async () => {
  const provider = await startProvider();
  const behind = await startServer({ ROLECALL_JWKS_URL: provider.url, ROLECALL_JWT_SECRET: undefined, ROLECALL_RATE_CONNECT: '2/1s:2' });
  try {
    const who = { token: provider.token({ sub: 'amy', role: 'vendor', exp: nowSeconds() + 3600 }) };
    const sockets = TRANSPORTS.map((transports) => behind.open(who, { ...PATIENCE, transports }));
    await Promise.all(sockets.map((socket) => nextEvent(socket, 'disconnect', undefined, 30_000)));
    provider.tells = true;
    await Promise.all(sockets.map((socket) => nextEvent(socket, 'connect', undefined, 30_000)));
    for (const socket of sockets) assert.deepEqual(heard(socket, 'connect_error'), []);
    await behind.connectAll(who, ['/', '/chat', '/tracking', '/system']);
  } finally {
    provider.stop();
    await behind.stop();
  }
});
