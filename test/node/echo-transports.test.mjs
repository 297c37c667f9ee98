// Every transport of the official client against the Socket.IO server alone: events and acks both ways, attachments, and
// the upgrade in full traffic.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { NodeWebSocket, NodeXHR } from 'socket.io-client';
import { TRANSPORTS, ask, collect, connected, happens, startEchoServer } from './lib/echo-server.mjs';
import { test } from './helpers.mjs';

const server = await startEchoServer();
after(() => server.stop());

const upTo = (count) => Array.from({ length: count }, (_, i) => i);
const NAMESPACES = ['/', '/custom'];

/** The base64 of each attachment, in the order in which the client takes them out of its arguments. */
const base64 = (...attachments) => attachments.map((bytes) => Buffer.from(bytes).toString('base64'));

const placeholder = (num) => ({ _placeholder: true, num });

for (const transports of TRANSPORTS) {
  const by = transports.join(' → ');

  for (const namespace of NAMESPACES) {
    test(`events and acks in ${namespace} over ${by}`, async () => {
      const socket = server.open({ namespace, transports });
      const [hello, echoed] = [collect(socket, 'hello'), collect(socket, 'echoed')];
      await connected(socket);
      assert.deepEqual(await hello.reach(3), [0, 1, 2], 'what follows the answer to CONNECT');
      const values = [[], ['text'], [1, null, true, 'é 🚚 \u0000 \u001e "'], [{ nested: [{ deep: [] }] }], upTo(200)];
      const acks = await Promise.all(values.map((args) => ask(socket, 'echo', ...args)));
      assert.deepEqual(acks.map(({ args }) => args), values);
      assert.deepEqual(echoed.values.map(({ args }) => args), values, 'an event comes before the ack that was sent behind it');
      if (transports.length === 1) assert.equal(socket.io.engine.transport.name, transports[0]);
      socket.disconnect();
    });

    test(`attachments in ${namespace} over ${by}`, async () => {
      const socket = await server.connect({ namespace, transports });
      const bytes = Buffer.from(upTo(256));
      const view = new Uint8Array(bytes.buffer, bytes.byteOffset + 10, 20);
      const copy = Uint8Array.from(bytes).buffer; // an ArrayBuffer of its own
      const large = Buffer.alloc(90_000, 7); // in base64, as polling has it, still less than a POST may have
      const cases = [
        [[bytes], [placeholder(0)], base64(bytes)],
        [[copy], [placeholder(0)], base64(bytes)],
        [[view], [placeholder(0)], base64(view)],
        [[Buffer.alloc(0)], [placeholder(0)], base64('')],
        [[large], [placeholder(0)], base64(large)],
        [
          ['before', { file: bytes, list: [view, 'between'] }, copy],
          ['before', { file: placeholder(0), list: [placeholder(1), 'between'] }, placeholder(2)], base64(bytes, view, bytes),
        ],
        [upTo(10).map((n) => Buffer.from([n])), upTo(10).map(placeholder), base64(...upTo(10).map((n) => [n]))],
      ];
      const echoed = collect(socket, 'echoed');
      const expected = cases.map(([, args, binary]) => ({ args, binary }));
      assert.deepEqual(await Promise.all(cases.map(([sent]) => ask(socket, 'echo', ...sent))), expected);
      assert.deepEqual(echoed.values, expected);
      socket.disconnect();
    });
  }

  for (const forceBase64 of [false, true]) test(`attachments from the server over ${by}${forceBase64 ? ', all as text' : ''}`, async () => {
    const socket = await server.connect({ transports, forceBase64 });
    const files = upTo(10).map((n) => Buffer.alloc(n * 1000, n));
    const sent = ['before', { list: files.slice(0, 9) }, files[9]];
    const heard = collect(socket, 'mirrored');
    for (const [text, { list }, last] of [await ask(socket, 'mirror', ...sent), (await heard.reach(1))[0]]) {
      assert.equal(text, 'before');
      [...list, last].forEach((bytes, n) => assert.equal(Buffer.compare(Buffer.from(bytes), files[n]), 0, `attachment ${n}`));
    }
    socket.disconnect();
  });

  test(`a question of the server is answered over ${by}`, async () => {
    const socket = await server.connect({ transports });
    socket.on('question', ([text, bytes], answer) => answer(`${text}!`, bytes.length));
    assert.deepEqual(await ask(socket, 'ask-me', 'really', Buffer.alloc(5)), ['really!', 5]);
    socket.disconnect();
  });

  test(`more than ten attachments end the connection over ${by}`, async () => {
    const socket = await server.connect({ transports });
    const gone = happens(socket, 'disconnect');
    socket.emit('echo', ...upTo(11).map((n) => Buffer.from([n])));
    assert.match((await gone)[0], /^transport (close|error)$/);
  });

  test(`acks in another order than their events over ${by}`, async () => {
    const socket = await server.connect({ transports });
    const order = [];
    const held = upTo(5).map(async (n) => {
      const { args } = await ask(socket, 'hold', n);
      order.push(args[0]);
    });
    assert.equal(await ask(socket, 'release'), null);
    await Promise.all(held);
    assert.deepEqual(order, [4, 3, 2, 1, 0]);
    socket.disconnect();
  });

  test(`an ack is given once over ${by}`, async () => {
    const socket = await server.connect({ transports });
    const answers = [];
    socket.emit('ack-twice', (answer) => answers.push(answer));
    await ask(socket, 'echo');
    assert.deepEqual(answers, [1]);
    socket.disconnect();
  });

  test(`an ack that does not come in time, and one that comes too late, over ${by}`, async () => {
    const socket = await server.connect({ transports });
    await assert.rejects(socket.timeout(50).emitWithAck('silent'), /operation has timed out/);
    await assert.rejects(socket.timeout(50).emitWithAck('hold', 'late'), /operation has timed out/);
    assert.equal(await ask(socket, 'release'), null);
    assert.deepEqual((await ask(socket, 'echo', 'next')).args, ['next']);
    socket.disconnect();
  });

  test(`the server ends a socket, or a connection, over ${by}`, async () => {
    const first = server.open({ transports });
    const second = first.io.socket('/custom');
    server.keep(second);
    await Promise.all([connected(first), connected(second)]);
    const pending = first.emitWithAck('silent');
    const left = happens(first, 'disconnect');
    first.emit('leave');
    assert.deepEqual(await left.then(([reason]) => reason), 'io server disconnect');
    await assert.rejects(pending, /socket has been disconnected/);
    assert.deepEqual((await ask(second, 'echo', 'still here')).args, ['still here']);
    first.connect();
    await connected(first);
    const both = [first, second].map((socket) => happens(socket, 'disconnect'));
    second.emit('hang-up');
    for (const [reason] of await Promise.all(both)) assert.ok(['io server disconnect', 'transport close'].includes(reason), reason);
    for (const socket of [first, second]) socket.disconnect();
  });
}

/** A WebSocket that opens only when told to, so that the upgrade happens in the midst of traffic. */
function gatedWebSocket() {
  let open;
  const opened = new Promise((resolve) => { open = resolve; });
  class GatedWebSocket extends NodeWebSocket {
    doOpen() { void opened.then(() => super.doOpen()); }
  }
  return { GatedWebSocket, open };
}

/** Keeps twenty echoes under way, every fourth with an attachment, until told to stop; then says how they went. */
function startEchoes(socket) {
  const outcome = { sent: 0, acked: [], intact: true };
  let stopped = false;
  const send = async () => {
    const n = outcome.sent;
    outcome.sent += 1;
    const attachments = n % 4 === 0 ? [Buffer.alloc(500, n % 256)] : [];
    const { args, binary } = await ask(socket, 'echo', n, ...attachments);
    outcome.acked.push(args[0]);
    if (attachments.length > 0 && Buffer.compare(Buffer.from(binary[0], 'base64'), attachments[0]) !== 0) outcome.intact = false;
  };
  const line = async () => { while (!stopped) await send(); };
  const lines = upTo(20).map(line);
  return {
    outcome,
    burst: () => { for (const _ of upTo(10)) lines.push(send()); },
    async stop() {
      stopped = true;
      await Promise.all(lines);
      return outcome;
    },
  };
}

/** Takes one client through an upgrade with traffic before, during and after it. */
async function upgradeInTraffic() {
  const { GatedWebSocket, open } = gatedWebSocket();
  const socket = server.open({ transports: [NodeXHR, GatedWebSocket] });
  const [ticks, echoed] = [collect(socket, 'tick'), collect(socket, 'echoed')];
  await connected(socket);
  const { engine } = socket.io;
  const echoes = startEchoes(socket);
  await ask(socket, 'ticks');
  await ticks.reach(20);
  assert.equal(engine.transport.name, 'polling');

  const marks = { polling: { ticks: ticks.values.length, acks: echoes.outcome.acked.length } };
  engine.once('upgrading', echoes.burst);
  engine.once('upgrade', echoes.burst);
  const upgraded = happens(engine, 'upgrade');
  open();
  await upgraded;
  marks.upgraded = { ticks: ticks.values.length, acks: echoes.outcome.acked.length };
  assert.equal(engine.transport.name, 'websocket');
  await ticks.reach(marks.upgraded.ticks + 20);

  const { sent, acked, intact } = await echoes.stop();
  const ticked = await ask(socket, 'stop-ticks');
  assert.ok(marks.polling.acks > 0 && sent > marks.upgraded.acks, `the traffic spans the upgrade: ${JSON.stringify({ ...marks, sent })}`);
  assert.deepEqual(ticks.values, upTo(ticked), 'from the server: each once and in order');
  assert.deepEqual(acked, upTo(sent), 'acks: each once and in order');
  assert.deepEqual(echoed.values.map(({ args }) => args[0]), upTo(sent), 'there and back: each once and in order');
  assert.ok(intact, 'attachments arrive as they were sent');
  socket.disconnect();
}

test('an upgrade in full traffic loses nothing, doubles nothing and keeps the order', async () => {
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(upTo(4).map(upgradeInTraffic));
  }
});

test('an upgrade of a quiet connection need not wait for something to send', async () => {
  const { GatedWebSocket, open } = gatedWebSocket();
  const socket = server.open({ transports: [NodeXHR, GatedWebSocket] });
  const hello = collect(socket, 'hello');
  await connected(socket);
  await hello.reach(3);
  const upgraded = happens(socket.io.engine, 'upgrade');
  open();
  await upgraded; // long before the first ping
  assert.deepEqual((await ask(socket, 'echo', 'upgraded')).args, ['upgraded']);
  socket.disconnect();
});

test('an upgrade that fails leaves the session polling', async () => {
  class LostWebSocket extends NodeWebSocket {
    uri() { return super.uri().replace('/socket.io/', '/nowhere/'); }
  }
  const socket = server.open({ transports: [NodeXHR, LostWebSocket] });
  const ticks = collect(socket, 'tick');
  const failed = happens(socket.io.engine, 'upgradeError');
  await connected(socket);
  await ask(socket, 'ticks');
  await failed;
  await ticks.reach(20);
  assert.deepEqual(ticks.values, upTo(await ask(socket, 'stop-ticks')));
  assert.equal(socket.io.engine.transport.name, 'polling');
  socket.disconnect();
});

test('an event larger than a message may be ends the connection', async () => {
  for (const transports of [['polling'], ['websocket']]) {
    const socket = await server.connect({ transports });
    const gone = happens(socket, 'disconnect');
    socket.emit('echo', 'x'.repeat(129 * 1024));
    assert.match((await gone)[0], /^transport (close|error)$/);
  }
});
