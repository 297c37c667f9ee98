// Which implementation of the engine the servers under test run on, and what that cannot do; and on how many nodes.
import assert from 'node:assert/strict';
import * as node from 'node:test';

export const ENGINE = process.env.ROLECALL_ENGINE || 'native';

/** How many processes a server of the tests is. */
export const NODES = process.env.TEST_NODES === '3' ? 3 : 1;

const LOST_FAREWELL = { sometimes: 'what is sent right before the server closes a connection may be lost' };
const LEAVE_AND_ENTER = { sometimes: 'a CONNECT right behind a DISCONNECT may close the connection' };
const UNCOMPRESSED = 'messages are not compressed';
const NO_CODE = 'the connection is cut without a code';

/** By engine and test, why the test fails. docs/realtime.md has a row for each reason. */
const EXCEPTIONS = {
  zishang520: {
    'bad events on and on: told so, disconnected, and free to come back': LOST_FAREWELL,
    'valid events sent far too fast are abuse as well': LOST_FAREWELL,
    'leaving a namespace and entering it in one breath, on a connection that stays, over websocket': LEAVE_AND_ENTER,
    'leaving a namespace and entering it in one breath, on a connection that stays, over polling': LEAVE_AND_ENTER,
    'leaving a namespace and entering it in one breath, on a connection that stays, over polling → websocket': LEAVE_AND_ENTER,
    'permessage-deflate offered as ws offers it to a server that compresses: messages pass': UNCOMPRESSED,
    'what is compressed goes over the line as fewer bytes': UNCOMPRESSED,
    'a compressed message that grows beyond what a message may have ends the connection': UNCOMPRESSED,
    'closed with 1007: half a character': NO_CODE,
    'closed with 1002: a message that is no packet': NO_CODE,
    'the official client may name subprotocols': 'none is chosen, at which clients that named some give up',
    'an opening handshake that is none is refused': 'the refusal does not name the version of WebSocket that is spoken',
  },
};

/** By test, what each of several nodes has for itself. */
const OF_ONE_NODE = {
  'each position counts: five thousand a second in arrays are too many': 'its rates',
  'joins beyond that are answered each, and told to come back one behind the other': 'its rates',
  'too many messages: refused with the time to wait, for all tabs of that user and nobody else': 'its rates',
};

/** How long a test may take, in milliseconds: one that waits in vain fails by its name. */
const TEST_DEADLINE = 120_000;

/**
 * The runner's test. One that fails on this engine by an exception is skipped with the reason; where it passes it fails, so
 * that no exception outlives its reason. Where the outcome hangs on which of two goroutines is first, it is skipped unrun.
 */
export function test(name, run) {
  if (NODES > 1 && OF_ONE_NODE[name]) return node.test(name, { skip: `each node's own: ${OF_ONE_NODE[name]}` }, run);
  const reason = EXCEPTIONS[ENGINE]?.[name];
  if (reason === undefined) return node.test(name, { timeout: TEST_DEADLINE }, run);
  if (reason.sometimes) return node.test(name, { skip: `on ${ENGINE} ${reason.sometimes}` }, run);
  return node.test(name, async (t) => {
    await assert.rejects(async () => run(t), undefined, `passes on ${ENGINE}: an exception too many`);
    t.skip(`on ${ENGINE} ${reason}`);
  });
}
