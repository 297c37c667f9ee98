// The real server binary as a child process, with a data folder and a port of its own.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { io, Manager } from 'socket.io-client';
import { note } from './contract-log.mjs';
import { ENGINE } from './engine.mjs';
import { DEADLINE, nextEvent, nextOf, record } from './events.mjs';
import { SECRET } from './token.mjs';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const cache = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url));

/** How long a server may take to start or to stop, in milliseconds. */
const LIFECYCLE_DEADLINE = 15_000;

/** Rates so high that no test meets them. */
export const NO_LIMITS = Object.fromEntries([
  ...['CHAT', 'TYPING', 'JOIN', 'LOCATION', 'BACKLOG', 'READ', 'OTHER', 'CONNECT', 'FAILURE', 'SHED'].map((kind) => [`ROLECALL_RATE_${kind}`, '100000/1s:100000']),
  ['ROLECALL_HANDSHAKES_PER_IP', 'off'],
]);

/** The binary under test: ROLECALL_BINARY, or one built from the sources (and not again while they stay the same). */
function binary() {
  if (process.env.ROLECALL_BINARY) return path.resolve(process.env.ROLECALL_BINARY);
  mkdirSync(cache, { recursive: true });
  const target = path.join(cache, process.platform === 'win32' ? 'server.exe' : 'server');
  // The folder for temporary files lies on the same disk, so that the finished binary is renamed into place whole.
  execFileSync('go', ['build', '-o', target, './cmd/server'], {
    cwd: repository, env: { ...process.env, GOTMPDIR: cache }, stdio: ['ignore', 'ignore', 'inherit'],
  });
  return target;
}

/** This process's environment without settings of the server, but for the engine it is to run on. */
function environment() {
  const rest = Object.entries(process.env).filter(([name]) => !name.startsWith('ROLECALL_'));
  return { ...Object.fromEntries(rest), ROLECALL_ENGINE: ENGINE };
}

/**
 * Starts a server and resolves once it serves.
 * @param {Record<string, string>} [settings] ROLECALL_* variables
 */
export async function startServer(settings = {}) {
  const server = new Server(settings);
  await server.start();
  return server;
}

/** Stops servers, each of them even where another one does not stop as it should. */
export async function stopAll(...servers) {
  const outcomes = await Promise.allSettled(servers.map((server) => server.stop()));
  const failures = outcomes.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, failures.map(({ message }) => message).join('\n'));
}

class Server {
  /** The address, http://127.0.0.1:PORT. */
  url = '';
  /** Log lines, parsed; lines that are no JSON (a panic, a data race) as { raw }. */
  log = [];
  #settings;
  #binary = binary();
  #dataDir = mkdtempSync(path.join(tmpdir(), 'rolecall-node-'));
  #child;
  #exit;
  #sockets = new Set();
  #killWithTests = () => this.#child?.kill('SIGKILL');

  constructor(settings) {
    this.#settings = settings;
    process.on('exit', this.#killWithTests);
  }

  /** Starts the process: on any free port at first, on the same port and data folder afterwards. */
  async start() {
    const address = this.url === '' ? '127.0.0.1:0' : new URL(this.url).host;
    this.#child = spawn(this.#binary, ['-addr', address, '-data-dir', this.#dataDir, '-log-format', 'json'], {
      env: { ...environment(), ROLECALL_JWT_SECRET: SECRET, ...this.#settings }, stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#exit = once(this.#child, 'exit');
    const serving = new Promise((resolve) => {
      createInterface({ input: this.#child.stderr }).on('line', (line) => {
        const entry = parseLine(line);
        this.log.push(entry);
        if (entry.msg === 'serving') resolve(entry.url);
      });
    });
    const died = this.#exit.then(([code]) => { throw new Error(`the server ended with ${code}: ${this.#tail()}`); });
    died.catch(() => {}); // ends of servers that have started are looked at by stop and kill
    this.url = await within(LIFECYCLE_DEADLINE, 'the server to serve', Promise.race([serving, died]));
  }

  /** Ends the server as an operator would, with all sockets open, and holds it to a clean end. */
  async stop() {
    try {
      await this.#terminate();
    } finally {
      this.#child.kill('SIGKILL');
      process.off('exit', this.#killWithTests);
      for (const socket of this.#sockets) socket.disconnect();
      rmSync(this.#dataDir, { recursive: true, force: true });
    }
    const complaints = this.log.filter((entry) => entry.level === 'ERROR' || entry.raw !== undefined);
    assert.deepEqual(complaints.slice(0, 5), [], 'the server logged errors');
  }

  async #terminate() {
    this.#child.kill('SIGTERM');
    const [code, signal] = await within(LIFECYCLE_DEADLINE, 'the server to stop', this.#exit);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `exit after SIGTERM: ${this.#tail()}`);
  }

  /** Stops the server with SIGTERM and starts it again, sockets staying as they are. */
  async restart() {
    await this.#terminate();
    await this.start();
  }

  /** Takes the server's life without a warning, as a power cut would, and starts it again. */
  async crash() {
    this.#child.kill('SIGKILL');
    await within(LIFECYCLE_DEADLINE, 'the server to die', this.#exit);
    await this.start();
  }

  /** Ends the server at once and for good. A second call does nothing. */
  async kill() {
    this.#child.kill('SIGKILL');
    await within(LIFECYCLE_DEADLINE, 'the server to die', this.#exit);
    process.off('exit', this.#killWithTests);
    for (const socket of this.#sockets) socket.disconnect();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  /** Freezes the process and lets it go on. */
  pause() { this.#child.kill('SIGSTOP'); }
  resume() { this.#child.kill('SIGCONT'); }

  /**
   * Opens a socket without waiting for it.
   * @param {{ token: string } | undefined} who
   * @param {{ namespace?: string } & Partial<import('socket.io-client').SocketOptions & import('socket.io-client').ManagerOptions>} [options]
   */
  open(who, { namespace = '/', ...options } = {}) {
    const socket = record(io(this.url + namespace, {
      forceNew: true, reconnection: false, transports: ['websocket'],
      ...(who ? { auth: { token: who.token } } : {}), ...options,
    }));
    this.#sockets.add(socket);
    return socket;
  }

  /** Opens a socket and resolves once it is connected. */
  async connect(who, options) {
    const socket = this.open(who, options);
    const { name, payload } = await nextOf(socket, ['connect', 'connect_error']);
    assert.equal(name, 'connect', `not connected: ${payload?.message} ${JSON.stringify(payload?.data)}`);
    return socket;
  }

  /** Opens sockets of several namespaces over one connection and resolves once all are connected. */
  async connectAll(who, namespaces, options = {}) {
    const manager = new Manager(this.url, { reconnection: false, transports: ['websocket'], autoConnect: false, ...options });
    const sockets = namespaces.map((name) => record(manager.socket(name, { auth: { token: who.token } })));
    for (const socket of sockets) {
      this.#sockets.add(socket);
      socket.connect();
    }
    await Promise.all(sockets.map((socket) => nextEvent(socket, 'connect')));
    return sockets;
  }

  /** Opens a socket that must be refused and resolves to { message, data }. */
  async refusal(who, options) {
    const socket = this.open(who, options);
    const { name, payload } = await nextOf(socket, ['connect', 'connect_error']);
    assert.equal(name, 'connect_error', 'was let in');
    const { message, data } = payload;
    socket.disconnect();
    return { message, data };
  }

  /**
   * Calls the REST interface.
   * @returns {Promise<{ status: number, headers: Headers, body: any }>} body is undefined where none came
   */
  async rest(who, method, route, body, headers = {}) {
    const response = await fetch(`${this.url}/api/v1${route}`, {
      method,
      headers: {
        ...(who ? { Authorization: `Bearer ${who.token}` } : {}),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers,
      },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE),
    });
    const text = await response.text();
    note({ kind: 'rest', method, path: `/api/v1${route}`, status: response.status, headers: Object.fromEntries(response.headers), body: text });
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  }

  #tail() { return JSON.stringify(this.log.slice(-5)); }
}

/** Holds a REST failure against RFC 9457 and the contract. */
export function assertProblem({ status, headers, body }, expectedStatus, code, field) {
  assert.equal(status, expectedStatus, JSON.stringify(body));
  assert.match(headers.get('content-type'), /^application\/problem\+json/);
  assert.equal(body.status, expectedStatus);
  assert.equal(body.code, code, body.detail);
  for (const member of ['type', 'title', 'detail']) assert.equal(typeof body[member], 'string', member);
  if (field !== undefined) assert.equal(body.field, field, body.detail);
}

function parseLine(line) {
  try {
    return JSON.parse(line);
  } catch {
    return { raw: line };
  }
}

/** The outcome of a promise, or a failure that says what was waited for in vain. */
export async function within(milliseconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${milliseconds} ms for ${what}`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
