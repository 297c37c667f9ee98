// The real server: a binary as a child process with a data folder and a port of its own; where TEST_NODES is 3, three of them
// behind a proxy.
import assert from 'node:assert/strict';
import { io, Manager } from 'socket.io-client';
import { note } from './contract-log.mjs';
import { NODES } from './engine.mjs';
import { DEADLINE, nextEvent, nextOf, record, settleBy } from './events.mjs';
import { Deployment, ready } from './deployment.mjs';
import { ServerProcess, within } from './process.mjs';
import { person } from './token.mjs';

export { within };

/** Rates so high that no test meets them. */
export const NO_LIMITS = Object.fromEntries([
  ...['CHAT', 'TYPING', 'JOIN', 'LOCATION', 'BACKLOG', 'READ', 'OTHER', 'CONNECT', 'FAILURE', 'SHED'].map((kind) => [`ROLECALL_RATE_${kind}`, '100000/1s:100000']),
  ['ROLECALL_HANDSHAKES_PER_IP', 'off'],
]);

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
  /** The address, http://127.0.0.1:PORT: that of the process, or of the proxy before several. */
  url = '';
  /** Log lines, parsed; lines that are no JSON (a panic, a data race) as { raw }. */
  log = [];
  #settings;
  #deployment;
  #nodes = [];
  #sockets = new Set();

  constructor(settings) {
    this.#settings = settings;
  }

  /** Starts the process, or all of them: on any free port at first, on the same port and data afterwards. */
  async start() {
    if (this.#nodes.length === 0) await this.#found();
    await this.#each((node) => node.start());
    if (this.#deployment === undefined) this.url = this.#nodes[0].url;
    else await this.#lead();
    this.url ||= this.#deployment.url;
    if (this.#deployment) settleBy(this.url, () => this.#catchUp());
  }

  /**
   * Has the proxy lead to the nodes. One that serves may still wait for others, and is then down to the proxy, so that each is
   * asked first.
   */
  async #lead() {
    await within(DEADLINE * 3, 'all nodes to be ready', this.#each(({ url }) => ready(url)));
    await this.#deployment.lead(this.#nodes.map(({ url }) => url));
  }

  /** Asks each node for what all know: the others answer it behind what they have told before. */
  async #catchUp() {
    const { token } = person('admin');
    await this.#each(async ({ url }) => {
      const answer = await fetch(`${url}/api/v1/stats`, { headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(DEADLINE) });
      assert.deepEqual((await answer.json()).unanswered, []);
    });
  }

  async #found() {
    if (NODES === 1 || this.#settings.ROLECALL_REDIS_URL) { // of others a test has started
      this.#nodes = [new ServerProcess(this.#settings, this.log)];
      return;
    }
    this.#deployment = await Deployment.begin();
    this.#nodes = this.#deployment.settings.map((own) => new ServerProcess({ ...own, ...this.#settings }, this.log));
  }

  async #each(what) {
    await Promise.all(this.#nodes.map(what));
  }

  /** Ends the server as an operator would, with all sockets open, and holds it to a clean end. */
  async stop() {
    try {
      await this.#each((node) => node.terminate());
    } finally {
      await this.#giveUp();
    }
    const complaints = this.log.filter((entry) => entry.level === 'ERROR' || entry.raw !== undefined);
    assert.deepEqual(complaints.slice(0, 5), [], 'the server logged errors');
  }

  async #giveUp() {
    for (const node of this.#nodes) node.discard();
    for (const socket of this.#sockets) socket.disconnect();
    await this.#deployment?.end();
  }

  /** Stops the server with SIGTERM and starts it again, sockets staying as they are. */
  async restart() {
    await this.#each((node) => node.terminate());
    await this.start();
  }

  /** Takes the server's life without a warning, as a power cut would, and starts it again. */
  async crash() {
    await this.#each((node) => node.die());
    await this.start();
  }

  /** Ends the server at once and for good. A second call does nothing. */
  async kill() {
    await this.#each((node) => node.die());
    await this.#giveUp();
  }

  /** Freezes the process and lets it go on. */
  pause() { for (const node of this.#nodes) node.signal('SIGSTOP'); }
  resume() { for (const node of this.#nodes) node.signal('SIGCONT'); }

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
