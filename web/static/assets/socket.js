// The one Socket.IO connection of the page.

import { io } from '/socket.io/socket.io.esm.min.js';
import { readToken } from './session.js';

const ackTimeoutMs = 10_000;

/** An event that the server refused, or that got no answer (`code` is then "offline"). */
export class CallError extends Error {
  constructor({ error, code, retryAfterMs, field }) {
    super(error);
    Object.assign(this, { code, retryAfterMs, field });
  }
}

/**
 * Connects. `onState` hears "connected", "connecting", "reconnecting" and "ended"; `onRefused` hears { code, message }
 * when the server will not accept the token, after which open() tries again with the one kept by then; `onError` hears
 * the sentence of each error:event.
 */
export class Connection {
  #socket;
  #timer;
  #onState;

  constructor({ onState, onRefused, onError }) {
    this.#onState = onState;
    this.#socket = io({
      auth: (answer) => answer({ token: readToken() }),
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      autoConnect: false,
      reconnectionDelayMax: 8000,
    });
    this.on('connect', () => onState('connected'));
    this.on('error:event', ({ error }) => onError(error));
    this.on('disconnect', (reason) => {
      onState('reconnecting');
      if (!this.#socket.active && reason !== 'io client disconnect') this.#reconnectLater();
    });
    this.on('connect_error', (error) => {
      const code = error.data?.code;
      if (code?.startsWith('auth_')) {
        this.#socket.disconnect();
        onState('ended');
        onRefused({ code, message: error.message });
        return;
      }
      onState('reconnecting', code ? error.message : undefined);
      if (!this.#socket.active) this.#reconnectLater();
    });
  }

  /** Opens the connection, once every listener is in place. */
  open() {
    clearTimeout(this.#timer);
    if (this.#socket.active) this.#socket.disconnect();
    this.#onState('connecting');
    this.#socket.connect();
  }

  get connected() { return this.#socket.connected; }

  on(event, listener) { this.#socket.on(event, listener); }

  /** Sends an event and gives the fields of its "ok" acknowledgement. Throws CallError. Nothing is sent later. */
  async call(event, payload) {
    if (!this.connected) throw new CallError({ error: 'Not connected.', code: 'offline' });
    let ack;
    try {
      ack = await this.#socket.timeout(ackTimeoutMs).emitWithAck(event, payload);
    } catch {
      throw new CallError({ error: 'The server did not answer.', code: 'offline' });
    }
    if (ack?.status !== 'ok') throw new CallError(ack ?? { error: 'The server gave no reason.', code: 'unavailable' });
    return ack;
  }

  /** Sends an event whose loss does not matter. */
  hint(event, payload) { if (this.connected) this.#socket.volatile.emit(event, payload); }

  // The client library does not come back by itself when the server closed or refused the socket.
  #reconnectLater() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.connect(), 1000 + Math.random() * 3000);
  }
}
