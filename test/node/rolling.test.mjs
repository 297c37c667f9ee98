// A server that is stopped sends its clients away in waves, and they come back by themselves to the next one at its address.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { accepted, heard, nextEvent, person, startServer, stopAll, test } from './helpers.mjs';

const server = await startServer({ ROLECALL_DRAIN_DELAY: '300ms', ROLECALL_DRAIN_PERIOD: '2s' });
after(() => stopAll(server));

test('official clients come back after a restart, and are not all sent away in one moment', async () => {
  const sockets = await Promise.all(
    [['websocket'], ['polling'], ['polling', 'websocket']].flatMap((transports) => Array.from({ length: 8 }, () => (
      server.connect(person('vendor'), { transports, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 })
    ))),
  );
  const begun = Date.now();
  const gone = Promise.all(sockets.map(async (socket) => {
    const reason = await nextEvent(socket, 'disconnect');
    return { reason, after: Date.now() - begun };
  }));
  await server.restart();
  for (const { reason, after: late } of await gone) {
    assert.match(reason, /^transport (close|error)$/);
    assert.ok(late >= 300, `sent away after ${late} ms`);
  }
  const times = (await gone).map(({ after: late }) => late).sort((a, b) => a - b);
  assert.ok(times.at(-1) - times[0] > 1000, `all were sent away within ${times.at(-1) - times[0]} ms`);
  await Promise.all(sockets.map(async (socket) => {
    await nextEvent(socket, 'connect');
    await accepted(socket, 'system:inbox', {});
    assert.equal(heard(socket, 'disconnect').length, 1, 'and stays');
    socket.disconnect();
  }));
});
