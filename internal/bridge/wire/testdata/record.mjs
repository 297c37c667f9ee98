// Prints what @socket.io/redis-adapter and @socket.io/redis-emitter write, as golden.json has it: channel and bytes of each
// message. To be run where both are installed, as in test/node:
//   cd test/node && node ../../internal/bridge/wire/testdata/record.mjs > ../../internal/bridge/wire/testdata/golden.json
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.cwd(), 'package.json'));
const { Server } = require('socket.io');
const { createAdapter } = require('@socket.io/redis-adapter');
const { Emitter } = require('@socket.io/redis-emitter');

const published = [];
let name = '';
const redis = {
  publish: (channel, message) => published.push({ name, channel, hex: Buffer.from(message).toString('hex') }),
  psubscribe() {}, subscribe() {}, on() {}, off() {}, listenerCount: () => 2,
  send_command: (command, args, done) => done(null, [args[1], 2]), // a version 3 client is asked so
};
const io = new Server({ adapter: createAdapter(redis, redis) });
const settle = () => new Promise((resolve) => setImmediate(resolve));
const steps = {};
for (const nsp of ['/', '/chat']) {
  const of = io.of(nsp);
  of.adapter.uid = 'AbCdEf';
  of.adapter.serverCount = async () => 2;
  steps[`one room ${nsp}`] = () => of.to('r1').emit('hi', 1);
}
const emitter = new Emitter(redis);
Object.assign(steps, {
  'several rooms': () => io.to('chat:a').to('user:b').emit('hi', 'text', { deep: [1, -1, null, true, 1.5] }),
  'no rooms': () => io.emit('hi'),
  'except and flags': () => io.to('r1').except(['r2', 'r3']).volatile.compress(false).emit('hi', 'x'),
  binary: () => io.to('r1').emit('hi', Buffer.from([1, 2, 3]), { within: Buffer.from('ab') }),
  numbers: () => io.to('r1').emit('n', 0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, 9007199254740991, -1, -32, -33,
    -128, -129, -32768, -32769, -2147483648, -2147483649, 0.5, NaN),
  strings: () => io.to('r1').emit('s', '', 'é€😀', 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(256)),
  'what is no JSON': () => io.to('r1').emit('o', new Date(1e12), undefined, { left: undefined, kept: null }),
  'a room that is a number': () => io.to(5).emit('hi', 1),
  'long lists': () => io.to('r1').emit('l', Array.from({ length: 20 }, (_, i) => i), Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`m${i}`, i]))),
  join: () => io.in('r1').socketsJoin(['r2', 'r3']),
  leave: () => io.in('r1').except('r4').socketsLeave('r2'),
  disconnect: () => io.in('r1').disconnectSockets(true),
  fetch: () => void io.in('r1').fetchSockets(),
  'all rooms': () => void io.of('/').adapter.allRooms(),
  'server-side emit': () => io.serverSideEmit('hello', 'world', 1),
  'server-side emit with ack': () => io.serverSideEmit('hello', () => {}),
  'broadcast with ack': () => io.to('r1').timeout(5).emit('ask', Buffer.from([1]), () => {}),
  'emitter: one room': () => emitter.to('r1').emit('hi', 1),
  'emitter: several rooms of a namespace': () => emitter.of('/chat').to('a').to('b').except('c').volatile.emit('hi', { x: 1 }),
  'emitter: no rooms, binary': () => emitter.emit('hi', Buffer.from([1])),
  'emitter: join': () => emitter.in('r1').socketsJoin('r2'),
  'emitter: leave': () => emitter.of('chat').in('r1').socketsLeave(['r2']),
  'emitter: disconnect': () => emitter.in('r1').disconnectSockets(),
  'emitter: server-side emit': () => emitter.serverSideEmit('hello', 'world'),
});
for (name of Object.keys(steps)) {
  steps[name]();
  await settle();
}
// What others answer to the adapter's own requests has ids made by chance; here they are the same every time.
const text = published.map(({ name, channel, hex }) => ({ name, channel, hex: steady(hex) }));
console.log(`[\n${text.map((line) => `  ${JSON.stringify(line)}`).join(',\n')}\n]`);
process.exit(0);

function steady(hex) {
  const bytes = Buffer.from(hex, 'hex');
  const at = bytes.indexOf('requestId');
  if (at >= 0) bytes.write('ReqIdX', at + (bytes[0] === 0x7b ? 12 : 10)); // behind ":" or the length
  return bytes.toString('hex');
}
