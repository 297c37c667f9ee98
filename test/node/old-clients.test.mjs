// Older major versions of the official client: version 2 speaks a protocol that is refused in words, version 3 the one
// that is served.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import io2 from 'socket.io-client-2';
import { io as io3 } from 'socket.io-client-3';
import { WebSocket } from 'ws';
import { becomes, connected, happens, startEchoServer, TRANSPORTS } from './lib/echo-server.mjs';
import { record } from './lib/events.mjs';
import { DEADLINE, NO_LIMITS, nextEvent, person, startServer, stopAll, test, within } from './helpers.mjs';

const server = await startServer(NO_LIMITS);
const echo = await startEchoServer();
after(() => stopAll(server, echo));

const UNSUPPORTED = { code: 5, message: 'Unsupported protocol version' };

/** How long a refusal may take, in milliseconds; nothing in it waits for a timer. */
const QUICKLY = 2000;

/** What an old client's handshake is answered with: { status, body }. */
const handshakes = {
  async polling(url) {
    const response = await fetch(`${url}/socket.io/?EIO=3&transport=polling&t=1&b64=1`, { signal: AbortSignal.timeout(DEADLINE) });
    return { status: response.status, body: await response.json() };
  },
  async websocket(url) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=3&transport=websocket`);
    const [, response] = await happens(socket, 'unexpected-response');
    const chunks = [];
    for await (const chunk of response) chunks.push(chunk);
    return { status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) };
  },
};

/** Has a client of version 2 refused and returns its error. */
async function refusal(url, options) {
  const socket = io2(url, { forceNew: true, reconnection: false, ...options });
  try {
    const [error] = await within(QUICKLY, 'the refusal', happens(socket, 'connect_error'));
    assert.equal(socket.connected, false);
    return error;
  } finally {
    socket.disconnect();
  }
}

for (const [name, handshake] of Object.entries(handshakes)) {
  test(`version 2: the handshake over ${name} is answered with what is wrong`, async () => {
    for (const { url } of [server, echo]) assert.deepEqual(await handshake(url), { status: 400, body: UNSUPPORTED });
  });
}

test('version 2: the client hears of the refusal at once and leaves nothing behind', async () => {
  const alone = await startServer(NO_LIMITS);
  try {
    for (const { url } of [alone, echo]) {
      const { token } = person('vendor');
      for (const options of [{ query: { token } }, { transportOptions: { polling: { extraHeaders: { Authorization: `Bearer ${token}` } } } }]) {
        const polling = await refusal(url, { transports: ['polling'], ...options });
        assert.deepEqual([polling.message, polling.description], ['xhr poll error', 400]);
        const websocket = await refusal(url, { transports: ['websocket'], ...options });
        assert.match(websocket.description.message, /Unexpected server response: 400/);
        await refusal(url, options);
      }
    }
    assert.equal(await echo.connections(), 0);
  } finally {
    await alone.stop();
  }
  assert.equal(alone.log.find(({ msg }) => msg === 'stopping')?.connections, 0, 'as the server counts when it stops');
});

test('version 2: a client that tries again and again is refused each time', async () => {
  const socket = io2(server.url, { forceNew: true, reconnectionDelay: 10, reconnectionDelayMax: 20, reconnectionAttempts: 5 });
  try {
    await happens(socket, 'reconnect_failed');
    assert.equal(socket.connected, false);
  } finally {
    socket.disconnect();
  }
});

/** The ack of an event; version 3 knows callbacks alone. */
const answer = (socket, event, ...args) => within(DEADLINE, `the ack of ${event}`, new Promise((resolve) => {
  socket.emit(event, ...args, resolve);
}));

for (const transports of TRANSPORTS) {
  const by = transports.join(' → ');

  test(`version 3 connects, sends, hears and is answered over ${by}`, async () => {
    const socket = record(io3(server.url, { forceNew: true, reconnection: false, transports, auth: { token: person('vendor').token } }));
    try {
      const upgraded = transports.length > 1 && happens(socket.io.engine, 'upgrade');
      await connected(socket);
      await upgraded;
      const roomId = `version-3-${transports.length}-${transports[0]}`;
      assert.equal((await answer(socket, 'room:join', { roomId })).status, 'ok');
      assert.equal((await answer(socket, 'chat:message', { roomId, text: 'é 🚚' })).seq, 1);
      assert.equal((await nextEvent(socket, 'chat:message')).text, 'é 🚚');
      assert.equal((await answer(socket, 'chat:message', { roomId, text: Buffer.from('x') })).code, 'invalid_payload');
      assert.equal(socket.io.engine.transport.name, transports.at(-1));
    } finally {
      socket.disconnect();
    }
  });

  test(`version 3 is refused in words over ${by}`, async () => {
    const socket = io3(server.url, { forceNew: true, reconnection: false, transports, auth: { token: 'open sesame' } });
    try {
      const [error] = await happens(socket, 'connect_error');
      assert.deepEqual([error.message, error.data], ['Invalid token', { code: 'auth_invalid' }]);
    } finally {
      socket.disconnect();
    }
  });

  test(`version 3 sends attachments, uses namespaces and comes back over ${by}`, async () => {
    const before = await echo.connections();
    const socket = io3(`${echo.url}/custom`, { forceNew: true, transports, reconnectionDelay: 10, reconnectionDelayMax: 50 });
    try {
      await connected(socket);
      assert.deepEqual(await answer(socket, 'echo', Buffer.from([1, 2, 3]), 'text'), {
        args: [{ _placeholder: true, num: 0 }, 'text'], binary: [Buffer.from([1, 2, 3]).toString('base64')],
      });
      const gone = happens(socket, 'disconnect');
      socket.io.engine.close();
      await gone;
      await connected(socket);
      assert.deepEqual((await answer(socket, 'echo', 'back')).args, ['back']);
    } finally {
      socket.disconnect();
    }
    await becomes(before, 'connections', () => echo.connections());
  });
}
