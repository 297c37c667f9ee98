// The default rates: so many events of a kind at once, then no more for a while, per user.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { accepted, ask, assertProblem, person, refused, startServer, test } from './helpers.mjs';

const server = await startServer();
after(() => server.stop());

const upTo = (count) => Array.from({ length: count }, (_, i) => i + 1);

test('too many messages: refused with the time to wait, for all tabs of that user and nobody else', async () => {
  const who = person('vendor');
  const [tab, otherTab, other] = await Promise.all([server.connect(who), server.connect(who), server.connect(person('vendor'))]);
  const message = { roomId: 'flood', text: 'x' };
  for (const n of upTo(10)) await accepted(n % 2 ? tab : otherTab, 'chat:message', message);
  const { retryAfterMs } = await refused(otherTab, 'rate_limited', undefined, 'chat:message', message);
  assert.ok(retryAfterMs > 0 && retryAfterMs <= 1501, `retryAfterMs is ${retryAfterMs}, messages come back at one a second`);
  const answer = await server.rest(who, 'POST', '/rooms/flood/messages', { text: 'x' });
  assertProblem(answer, 429, 'rate_limited');
  const second = answer.body.retryAfterMs;
  assert.ok(second > 800 && second <= 3001, `the next is told ${second} ms, behind the first`);
  assert.equal(Number(answer.headers.get('retry-after')), Math.ceil((second - 1) / 1000));
  await accepted(other, 'chat:message', message);
  await accepted(tab, 'chat:history', { roomId: 'flood' });
  await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
  await accepted(tab, 'chat:message', message);
});

test('each kind of event has a bucket of its own', async () => {
  const roomId = 'buckets';
  for (const [event, burst, payload] of [
    ['chat:typing', 5, { roomId, isTyping: true }], ['room:join', 100, roomId],
    ['chat:history', 20, { roomId }], ['presence:list', 20, {}],
  ]) {
    const socket = await server.connect(person('vendor'));
    const acks = await Promise.all(upTo(burst + 10).map(() => ask(socket, event, payload)));
    assert.ok(acks.slice(0, burst).every(({ status }) => status === 'ok'), `${event}: ${burst} at once`);
    assert.ok(acks.some(({ code, retryAfterMs }) => code === 'rate_limited' && retryAfterMs > 0), `${event}: and then no more`);
    await accepted(socket, 'chat:message', { roomId, text: 'other buckets are full' });
  }
});
