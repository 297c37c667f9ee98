// The echo server (echoserver/) as a child process, and what tests need to talk to it.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { ENGINE } from './engine.mjs';
import { DEADLINE } from './events.mjs';
import { within } from './process.mjs';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const cache = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url));

/** How long the process may take to start or to stop, in milliseconds. */
const LIFECYCLE_DEADLINE = 60_000;

/** The transports a client may be told to use. */
export const TRANSPORTS = [['polling'], ['websocket'], ['polling', 'websocket']];

/** The binary: ROLECALL_ECHO_BINARY, or one built from the sources. */
function binary() {
  if (process.env.ROLECALL_ECHO_BINARY) return path.resolve(process.env.ROLECALL_ECHO_BINARY);
  mkdirSync(cache, { recursive: true });
  const target = path.join(cache, process.platform === 'win32' ? 'echoserver.exe' : 'echoserver');
  execFileSync('go', ['build', '-o', target, './test/node/echoserver'], {
    cwd: repository, env: { ...process.env, GOTMPDIR: cache }, stdio: ['ignore', 'ignore', 'inherit'],
  });
  return target;
}

/**
 * Starts an echo server and resolves once it serves.
 * @param {string[]} flags such as '-ping-interval=100ms'
 */
export async function startEchoServer(...flags) {
  const server = new EchoServer();
  await server.start(flags);
  return server;
}

class EchoServer {
  /** The address, http://127.0.0.1:PORT. */
  url = '';
  #log = [];
  #child;
  #exit;
  #sockets = new Set();
  #killWithTests = () => this.#child?.kill('SIGKILL');

  async start(flags) {
    process.on('exit', this.#killWithTests);
    this.#child = spawn(binary(), [`-engine=${ENGINE}`, ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#exit = once(this.#child, 'exit');
    const serving = new Promise((resolve) => {
      createInterface({ input: this.#child.stderr }).on('line', (line) => {
        this.#log.push(line);
        const address = /"msg":"serving","url":"([^"]+)"/.exec(line);
        if (address) resolve(address[1]);
      });
    });
    const died = this.#exit.then(([code]) => { throw new Error(`the echo server ended with ${code}: ${this.#log.join('\n')}`); });
    died.catch(() => {}); // the end of one that has started is looked at by stop
    this.url = await within(LIFECYCLE_DEADLINE, 'the echo server to serve', Promise.race([serving, died]));
  }

  /** Ends the process with its sockets open and holds it to a clean end. */
  async stop() {
    try {
      this.resume();
      this.#child.kill('SIGTERM');
      const [code, signal] = await within(LIFECYCLE_DEADLINE, 'the echo server to stop', this.#exit);
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, this.#log.slice(-5).join('\n'));
    } finally {
      this.#child.kill('SIGKILL');
      process.off('exit', this.#killWithTests);
      for (const socket of this.#sockets) socket.disconnect();
    }
    const complaints = this.#log.filter((line) => !line.includes('"level":"INFO"') && !line.includes('"level":"WARN"'));
    assert.deepEqual(complaints.slice(0, 5), [], 'the echo server logged errors');
  }

  /** Freezes the process and lets it go on. */
  pause() { this.#child.kill('SIGSTOP'); }
  resume() { this.#child.kill('SIGCONT'); }

  /**
   * Opens a socket of the official client without waiting for it.
   * @param {{ namespace?: string } & Partial<import('socket.io-client').SocketOptions & import('socket.io-client').ManagerOptions>} [options]
   */
  open({ namespace = '/', ...options } = {}) {
    const socket = io(this.url + namespace, { forceNew: true, reconnection: false, transports: ['websocket'], ...options });
    this.keep(socket);
    return socket;
  }

  /** Opens a socket and resolves once it is connected. */
  async connect(options) {
    const socket = this.open(options);
    await connected(socket);
    return socket;
  }

  /** Has a socket closed when the server stops. */
  keep(...sockets) {
    for (const socket of sockets) this.#sockets.add(socket);
  }

  /** The number of connections the server has. */
  async connections() {
    const answer = await fetch(`${this.url}/connections`, { signal: AbortSignal.timeout(DEADLINE) });
    return Number(await answer.text());
  }
}

/** The arguments of the emitter's next event of that name. */
export const happens = (emitter, name) => within(DEADLINE, name, new Promise((resolve) => {
  emitter.once(name, (...args) => resolve(args));
}));

/** Resolves once a socket that has just been opened is connected, and fails where it is refused. */
export async function connected(socket) {
  const error = await within(DEADLINE, 'connect', new Promise((resolve) => {
    socket.once('connect', () => resolve()).once('connect_error', resolve);
  }));
  if (error) throw error;
}

/** The ack of an event, within the deadline. */
export const ask = (socket, event, ...args) => socket.timeout(DEADLINE).emitWithAck(event, ...args);

/** Keeps the first arguments of all events of that name from now on. */
export function collect(socket, name) {
  const values = [];
  let look = () => {};
  socket.on(name, (value) => {
    values.push(value);
    look();
  });
  /** Resolves once there are that many. */
  const reach = (count) => within(DEADLINE, `${count} of ${name}`, new Promise((resolve) => {
    look = () => { if (values.length >= count) resolve(values); };
    look();
  }));
  return { values, reach };
}

/** Asks again and again until the answer is the expected one. */
export async function becomes(expected, what, question) {
  const deadline = Date.now() + DEADLINE;
  for (;;) {
    const answer = await question();
    if (answer === expected) return;
    if (Date.now() > deadline) assert.equal(answer, expected, what);
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}
