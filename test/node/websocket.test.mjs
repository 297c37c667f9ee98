// What goes on below the official client's WebSocket: compression, control frames, fragments, closing. The npm package ws
// is the WebSocket that the client itself uses in Node.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { after } from 'node:test';
import { WebSocket } from 'ws';
import { ask, becomes, collect, connected, happens, startEchoServer } from './lib/echo-server.mjs';
import { DEADLINE, stopAll, test, within } from './helpers.mjs';

const server = await startEchoServer();
const compressing = await startEchoServer('-compress-from=100');
after(() => stopAll(server, compressing));

const endpoint = (at) => `${at.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;

/** A session of bare packets: every message of the server is kept until it is read. */
class Session {
  #messages = [];
  #arrived = () => {};

  constructor(options = {}, at = server) {
    this.ws = new WebSocket(endpoint(at), options);
    this.ws.on('message', (data, isBinary) => {
      assert.equal(isBinary, false);
      this.#messages.push(data.toString());
      this.#arrived();
    });
    this.ws.on('error', () => {}); // each test looks at how the connection ends
  }

  /** The next message. */
  next() {
    return within(DEADLINE, 'a message', new Promise((resolve) => {
      this.#arrived = () => {
        if (this.#messages.length === 0) return;
        this.#arrived = () => {};
        resolve(this.#messages.shift());
      };
      this.#arrived();
    }));
  }

  /** Connects to a namespace and reads what it says first. */
  async enter() {
    const open = await this.next();
    assert.match(open, /^0\{/);
    const { sid, upgrades } = JSON.parse(open.slice(1));
    assert.match(sid, /^.+$/);
    assert.deepEqual(upgrades, []);
    this.ws.send('40');
    assert.match(await this.next(), /^40\{"sid":"/);
    for (const n of [0, 1, 2]) assert.equal(await this.next(), `42["hello",${n}]`);
    return this;
  }

  /** Has a text echoed and holds event and ack against it. */
  async echo(text, send = (message) => this.ws.send(message)) {
    send(`427["echo",${JSON.stringify(text)}]`);
    const content = JSON.stringify({ args: [text], binary: [] });
    assert.equal(await this.next(), `42["echoed",${content}]`);
    assert.equal(await this.next(), `437[${content}]`);
  }

  /** The code and reason with which the connection ends. */
  async closed() {
    const [code, reason] = await happens(this.ws, 'close');
    return { code, reason: reason.toString() };
  }

  close() { this.ws.terminate(); }
}

/** Runs a test with a session in namespace / and closes it. */
async function inSession(options, run, at = server) {
  const session = new Session(options, at);
  try {
    await session.enter();
    await run(session);
  } finally {
    session.close();
  }
}

const long = 'A line that compresses well. '.repeat(2000);
const noise = randomBytes(30_000).toString('base64');

for (const [what, offer] of Object.entries({
  'as ws offers it': true,
  'for every message': { threshold: 0 },
  'without context': { threshold: 0, clientNoContextTakeover: true, serverNoContextTakeover: true },
  'with small windows': { threshold: 0, clientMaxWindowBits: 9, serverMaxWindowBits: 9 },
  'not at all': false,
})) {
  for (const [how, at] of [['compresses', compressing], ['does not compress', server]]) {
    test(`permessage-deflate offered ${what} to a server that ${how}: messages pass`, async (t) => {
      await inSession({ perMessageDeflate: offer }, async (session) => {
        const { extensions } = session.ws;
        t.diagnostic(`negotiated: ${extensions || 'nothing'}`);
        const possible = at === compressing && offer ? ['', 'permessage-deflate'] : [''];
        assert.ok(possible.includes(extensions), extensions);
        if (offer === true) assert.equal(extensions, possible.at(-1), 'an offer that leaves everything open is taken');
        for (const text of ['', 'short', long, noise, 'é 🚚', long]) await session.echo(text);
        for (const text of [long, noise]) await session.echo(text, (message) => session.ws.send(message, { compress: false }));
      }, at);
    });
  }
}

test('what is compressed goes over the line as fewer bytes', async () => {
  const bytes = {};
  for (const [how, at] of Object.entries({ compressing, server })) {
    await inSession({ perMessageDeflate: true }, async (session) => {
      for (let i = 0; i < 10; i += 1) await session.echo(long);
      bytes[how] = session.ws._socket.bytesRead;
    }, at);
  }
  assert.ok(bytes.compressing < bytes.server / 10, JSON.stringify(bytes));
});

test('a compressed message that grows beyond what a message may have ends the connection', async () => {
  await inSession({ perMessageDeflate: { threshold: 0 } }, async (session) => {
    assert.equal(session.ws.extensions, 'permessage-deflate');
    const closed = session.closed();
    session.ws.send(`42["echo","${'x'.repeat(10_000_000)}"]`);
    assert.equal((await closed).code, 1009);
  }, compressing);
});

for (const [how, at] of [['compresses', compressing], ['does not compress', server]]) {
  test(`the official client, asked to compress, and a server that ${how}`, async () => {
    const deflate = { perMessageDeflate: { threshold: 0 } };
    const upgraded = at.open({ transports: ['polling', 'websocket'], ...deflate });
    const upgrade = happens(upgraded.io.engine, 'upgrade');
    await connected(upgraded);
    await upgrade;
    for (const each of [await at.connect(deflate), upgraded]) {
      const bytes = Buffer.alloc(50_000, 1);
      const echoed = collect(each, 'echoed');
      assert.deepEqual((await ask(each, 'echo', long)).args, [long]);
      assert.deepEqual((await ask(each.compress(true), 'echo', bytes)).binary, [bytes.toString('base64')]);
      assert.deepEqual((await ask(each.compress(false), 'echo', bytes)).binary, [bytes.toString('base64')]);
      assert.deepEqual(echoed.values.map(({ binary }) => binary.length), [0, 1, 1]);
      each.disconnect();
    }
  });
}

/** The answer to an opening handshake written by hand: its status and headers. */
function openingHandshake(headers, at = server) {
  return within(DEADLINE, 'an answer', new Promise((resolve, reject) => {
    const handshake = request(endpoint(at).replace('ws', 'http'), {
      headers: {
        Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers,
      },
    });
    const done = (response) => {
      response.socket.destroy();
      resolve({ status: response.statusCode, headers: response.headers });
    };
    handshake.on('upgrade', done).on('response', done).on('error', reject).end();
  }));
}

for (const offer of [
  'permessage-deflate; client_max_window_bits=7', 'permessage-deflate; unknown', 'permessage-deflate; server_max_window_bits="x"',
  'x-unknown-extension', 'x-unknown-extension; a=1, permessage-bzip2', ';;,',
  'permessage-deflate; client_max_window_bits; client_max_window_bits', // twice, RFC 7692, section 7
]) {
  test(`an extension that cannot be negotiated is declined: ${offer}`, async () => {
    for (const at of [server, compressing]) {
      const { status, headers } = await openingHandshake({ 'Sec-WebSocket-Extensions': offer }, at);
      assert.ok(status === 101 || status === 400, `${status}`);
      assert.equal(headers['sec-websocket-extensions'], undefined);
      if (status === 101) assert.equal(headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'RFC 6455, section 1.3');
    }
  });
}

/** A frame of a client, masked with zeros: its first byte, then a payload of less than 126 bytes. */
const frame = (first, payload = '') => {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from([first, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]);
};

for (const [what, bytes, code] of [
  ['a compressed frame without compression', frame(0xC1, '42["echo"]'), 1002],
  ['another reserved bit', frame(0xA1, '42["echo"]'), 1002],
  ['an unknown opcode', frame(0x83, 'x'), 1002],
  ['a ping in two fragments', frame(0x09, 'x'), 1002],
  ['a continuation of nothing', frame(0x80, 'x'), 1002],
  ['a new message within another one', Buffer.concat([frame(0x01, '42'), frame(0x81, '42')]), 1002],
  ['a frame that is not masked', Buffer.from([0x81, 2, 0x34, 0x32]), 1002],
  ['half a character', frame(0x81, Buffer.from([0x34, 0x32, 0xF0, 0x9F])), 1007],
  ['a message that is no packet', frame(0x81, 'nonsense'), 1002],
]) {
  test(`closed with ${code}: ${what}`, async () => {
    await inSession({ perMessageDeflate: false }, async (session) => {
      const closed = session.closed();
      session.ws._socket.write(bytes); // ws itself would not send this
      assert.equal((await closed).code, code);
    });
  });
}

test('pings are answered with what they carry, in the midst of a fragmented message too', async () => {
  await inSession({}, async (session) => {
    for (const payload of ['', 'beat', 'x'.repeat(125)]) {
      const pong = happens(session.ws, 'pong');
      session.ws.ping(payload);
      assert.equal((await pong)[0].toString(), payload);
    }
    session.ws.pong('nobody asked');
    await session.echo('in fragments', (message) => {
      for (const character of message.slice(0, -1)) session.ws.send(character, { fin: false });
      session.ws.ping('between');
      session.ws.send(message.slice(-1), { fin: true });
    });
  });
});

test('a client that closes is answered, and its session is gone', async () => {
  await becomes(0, 'connections', () => server.connections());
  for (const code of [1000, 1001, 4000]) {
    const session = await new Session().enter();
    const closed = session.closed();
    session.ws.close(code, 'bye');
    assert.ok([code, 1000].includes((await closed).code), 'the code that a close frame is answered with is free: RFC 6455, section 5.5.1');
    await becomes(0, 'connections', () => server.connections());
  }
  const cut = await new Session().enter();
  assert.equal(await server.connections(), 1);
  cut.close();
  await becomes(0, 'connections', () => server.connections());
});

test('the official client may name subprotocols', async () => {
  const socket = await server.connect({ protocols: ['first', 'second'] });
  assert.deepEqual((await ask(socket, 'echo', 'agreed')).args, ['agreed']);
  socket.disconnect();
  await becomes(0, 'connections', () => server.connections());
});

test('an opening handshake that is none is refused', async () => {
  for (const headers of [
    { 'Sec-WebSocket-Key': 'short' }, { 'Sec-WebSocket-Key': '' }, { 'Sec-WebSocket-Version': '8' }, { Upgrade: 'h2c' },
  ]) {
    const { status, headers: answer } = await openingHandshake(headers);
    assert.equal(status, 400, JSON.stringify(headers));
    if (headers['Sec-WebSocket-Version']) assert.equal(answer['sec-websocket-version'], '13');
  }
  assert.equal(await server.connections(), 0);
});
