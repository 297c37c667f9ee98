// What else the official client can do with a connection, against the Socket.IO server alone: buffers, volatile events,
// retries, several namespaces, coming back.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Manager } from 'socket.io-client';
import { TRANSPORTS, ask, becomes, collect, connected, happens, startEchoServer } from './lib/echo-server.mjs';
import { test, within } from './helpers.mjs';

const server = await startEchoServer();
after(() => server.stop());

const upTo = (count) => Array.from({ length: count }, (_, i) => i);
const numbers = (contents) => contents.map(({ args }) => args[0]);

for (const transports of TRANSPORTS) {
  const by = transports.join(' → ');

  test(`3,000 events sent before the connection stands arrive in order over ${by}`, async () => {
    const socket = server.open({ transports });
    const echoed = collect(socket, 'echoed');
    const answers = upTo(3000).map((n) => ask(socket, 'echo', n, 'x'.repeat(100)));
    assert.equal(socket.connected, false);
    assert.deepEqual(numbers(await Promise.all(answers)), upTo(3000));
    assert.deepEqual(numbers(echoed.values), upTo(3000));
    socket.disconnect();
  });

  test(`volatile events over ${by}: one while the line is free, none while it is busy or down`, async () => {
    const socket = server.open({ transports, upgrade: false });
    const echoed = collect(socket, 'echoed');
    socket.volatile.emit('echo', 'before the connection');
    await connected(socket);
    await ask(socket, 'echo', 'settled');
    await becomes(true, 'the transport is writable', () => socket.io.engine.transport.writable);
    socket.volatile.emit('echo', 'free');
    socket.volatile.emit('echo', 'busy');
    await ask(socket, 'echo', 'end');
    assert.deepEqual(numbers(echoed.values), ['settled', 'free', 'end']);
    socket.disconnect();
  });

  test(`disconnect and connect in one breath, again and again, over ${by}`, async () => {
    const socket = await server.connect({ transports });
    const before = await server.connections();
    const ids = new Set([socket.id]);
    for (let round = 0; round < 10; round += 1) {
      const pending = socket.emitWithAck('silent');
      socket.disconnect().connect();
      await assert.rejects(pending, /socket has been disconnected/);
      await connected(socket);
      ids.add(socket.id);
      assert.deepEqual((await ask(socket, 'echo', round)).args, [round]);
    }
    assert.equal(ids.size, 11, 'a new id each time');
    await becomes(before, 'connections', () => server.connections());
    socket.disconnect();
    await becomes(before - 1, 'connections', () => server.connections());
  });

  test(`leaving a namespace and entering it in one breath, on a connection that stays, over ${by}`, async () => {
    const socket = await server.connect({ transports });
    const custom = socket.io.socket('/custom');
    server.keep(custom);
    await connected(custom);
    await ask(custom, 'echo', 'greeted');
    const { id } = socket.io.engine;
    for (let round = 0; round < 20; round += 1) {
      const hello = collect(custom, 'hello');
      custom.disconnect().connect();
      await connected(custom);
      assert.deepEqual((await ask(custom, 'echo', round)).args, [round]);
      assert.deepEqual(hello.values, [0, 1, 2]);
      custom.off('hello');
    }
    assert.equal(socket.io.engine.id, id);
    assert.deepEqual((await ask(socket, 'echo', 'untouched')).args, ['untouched']);
    socket.disconnect();
    custom.disconnect();
  });

  test(`several namespaces over one connection do not mix, over ${by}`, async () => {
    const manager = new Manager(server.url, { transports, reconnection: false });
    const [root, custom, nowhere] = ['/', '/custom', '/nowhere'].map((name) => manager.socket(name, { auth: { name } }));
    server.keep(root, custom, nowhere);
    const refusal = happens(nowhere, 'connect_error');
    await Promise.all([connected(root), connected(custom)]);
    assert.equal((await refusal)[0].message, 'Invalid namespace');
    assert.notEqual(root.id, custom.id);
    // The ids of acks count from 0 in each namespace.
    const both = [root, custom].map((socket) => collect(socket, 'echoed'));
    const answers = await Promise.all(upTo(100).map((n) => ask([root, custom][n % 2], 'echo', n)));
    assert.deepEqual(numbers(answers), upTo(100));
    for (const i of [0, 1]) assert.deepEqual(numbers(both[i].values), upTo(100).filter((n) => n % 2 === i));
    for (const socket of [root, custom]) assert.deepEqual((await ask(socket, 'handshake')).auth, { name: socket.nsp });
    root.disconnect();
    assert.deepEqual((await ask(custom, 'echo', 'still here')).args, ['still here']);
    custom.disconnect();
  });

  test(`what the client presents reaches the server over ${by}`, async () => {
    const socket = await server.connect({
      transports, upgrade: false, auth: (give) => give({ key: 'é' }), query: { shown: 'a b&c' },
      extraHeaders: { Authorization: 'Bearer of the header' },
    });
    const { auth, query, authorization } = await ask(socket, 'handshake');
    assert.deepEqual({ auth, authorization, shown: query.shown, EIO: query.EIO, transport: query.transport }, {
      auth: { key: 'é' }, authorization: 'Bearer of the header', shown: ['a b&c'], EIO: ['4'], transport: [transports[0]],
    });
    socket.disconnect();
  });

  test(`a connection that breaks comes back by itself, with what was sent meanwhile, over ${by}`, async () => {
    const socket = await server.connect({ transports, reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50 });
    const echoed = collect(socket, 'echoed');
    for (let round = 0; round < 3; round += 1) {
      const gone = happens(socket, 'disconnect');
      socket.io.engine.close();
      await gone;
      const answers = upTo(10).map((n) => ask(socket, 'echo', 10 * round + n));
      assert.equal(socket.connected, false);
      await connected(socket);
      assert.ok(!socket.recovered, 'no session is kept for a client that comes back');
      assert.deepEqual(numbers(await Promise.all(answers)), upTo(10).map((n) => 10 * round + n));
    }
    assert.deepEqual(numbers(echoed.values), upTo(30));
    socket.disconnect();
  });

  test(`retries over ${by}: an event is sent until it is acked, and the next one waits for it`, async () => {
    const socket = await server.connect({ transports, retries: 5, ackTimeout: 300 });
    const sent = [];
    socket.onAnyOutgoing((event, argument) => sent.push([event, argument]));
    const tries = socket.emitWithAck('deaf', 2);
    const next = socket.emitWithAck('echo', 'behind it');
    assert.equal(await tries, 3);
    assert.deepEqual((await next).args, ['behind it']);
    assert.deepEqual(sent, [['deaf', 2], ['deaf', 2], ['deaf', 2], ['echo', 'behind it']]);
    socket.disconnect();
  });

  test(`retries over ${by}: an event that is never acked is given up, and the next one goes on`, async () => {
    const socket = await server.connect({ transports, retries: 2, ackTimeout: 150 });
    let sent = 0;
    socket.onAnyOutgoing((event) => { if (event === 'silent') sent += 1; });
    const vain = socket.emitWithAck('silent');
    const next = socket.emitWithAck('echo', 'behind it');
    await assert.rejects(vain, /operation has timed out/);
    assert.equal(sent, 3);
    assert.deepEqual((await next).args, ['behind it']);
    socket.disconnect();
  });

  for (const options of [{ path: '/socket.io' }, { path: '/socket.io/' }, { path: '/socket.io', addTrailingSlash: false }]) {
    test(`the path ${JSON.stringify(options)} over ${by}`, async () => {
      const socket = server.open({ transports, ...options });
      const upgraded = transports.length > 1 && happens(socket.io.engine, 'upgrade');
      await connected(socket);
      await upgraded;
      assert.deepEqual((await ask(socket, 'echo', 'found')).args, ['found']);
      socket.disconnect();
    });
  }

  test(`another path is not found over ${by}`, async () => {
    const socket = server.open({ transports, path: '/other' });
    const [error] = await happens(socket, 'connect_error');
    assert.match(`${error.description?.message ?? error.description}`, /404/);
    socket.disconnect();
  });
}

test('pings keep a quiet connection, and a server that is silent for too long is left and found again', async () => {
  const short = await startEchoServer('-ping-interval=100ms', '-ping-timeout=1500ms');
  try {
    const patience = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100 };
    const sockets = TRANSPORTS.map((transports) => short.open({ transports, ...patience }));
    await Promise.all(sockets.map(connected));
    await Promise.all(sockets.map(async (socket) => {
      for (let pings = 0; pings < 5; pings += 1) await happens(socket.io, 'ping');
      assert.ok(socket.connected);
    }));
    const gone = sockets.map((socket) => happens(socket, 'disconnect'));
    short.pause();
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'ping timeout');
    const back = sockets.map((socket) => happens(socket, 'connect'));
    short.resume();
    await within(10_000, 'all to come back', Promise.all(back));
    for (const socket of sockets) assert.deepEqual((await ask(socket, 'echo', 'back')).args, ['back']);
    await becomes(sockets.length, 'connections', () => short.connections());
  } finally {
    await short.stop();
  }
});
