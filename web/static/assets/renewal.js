// What happens when a token ends while the page is open: the person signs in again and goes on where they were.

import { byId, setText, showProblem } from './dom.js';
import { clock, timeOf } from './time.js';
import { api, readToken, keepToken, signInAddress, demoPeople, demoToken } from './session.js';
import { explainRefusal } from './signin.js';

/**
 * Says that the sign-in is about to end or has ended, and takes a new token: from the operator's sign-in page, which
 * another tab hands over; from the demo; or from a developer's clipboard.
 */
export class Renewal {
  #connection;
  #me;
  #settings;
  #tabs = 'BroadcastChannel' in window ? new BroadcastChannel('rolecall:sign-in') : null;

  constructor({ connection, me, settings }) {
    this.#connection = connection;
    this.#me = me;
    this.#settings = settings;
    connection.on('auth:expiring', ({ expiresAt }) => this.#warn(expiresAt));
    byId('renewal-again').onclick = () => this.#attempt(async () => this.#takeOwn(await demoToken(me.userId)));
    byId('renewal-form').onsubmit = (event) => {
      event.preventDefault();
      this.#attempt(() => this.take(byId('renewal-token').value.trim()));
    };
    if (this.#tabs) this.#tabs.onmessage = ({ data }) => this.#takeFromTab(data);
  }

  /** Tells the person's other tabs of the token that this one has just come by. */
  share(token) { this.#tabs?.postMessage({ userId: this.#me.userId, token }); }

  /** The server has refused the token: nothing goes on without another. */
  end(refusal) { this.#show(explainRefusal(refusal)); }

  /** Goes on with a token, or tells why not. A token of somebody else begins anew as that person. */
  async take(token) {
    const { userId, role, companyId } = await api('/me', { token });
    keepToken(token);
    if (userId !== this.#me.userId || role !== this.#me.role || companyId !== this.#me.companyId) location.reload();
    else await this.#takeOwn(token);
  }

  async #takeOwn(token) {
    await this.#goOnWith(token);
    this.share(token);
  }

  async #takeFromTab({ userId, token }) {
    if (userId !== this.#me.userId || endOf(token) <= endOf(readToken())) return; // an old link may have been opened there
    await this.#attempt(() => this.#goOnWith(token));
  }

  async #goOnWith(token) {
    keepToken(token);
    if (this.#connection.connected) await this.#connection.call('auth:refresh', { token });
    else this.#connection.open();
    byId('renewal').hidden = true;
    byId('renewal-token').value = '';
  }

  async #attempt(run) {
    showProblem(byId('renewal-problem'), '');
    try {
      await run();
    } catch (error) {
      showProblem(byId('renewal-problem'), error.code ? explainRefusal(error) : error.message);
    }
  }

  #warn(expiresAt) {
    const when = Number.isNaN(timeOf(expiresAt)) ? 'soon' : `at ${clock(expiresAt)}`;
    this.#show(`Your sign-in ends ${when}.`);
  }

  async #show(sentence) {
    const address = signInAddress(this.#settings);
    const people = await demoPeople(this.#settings).catch(() => []);
    const isGuest = people.some(({ userId }) => userId === this.#me.userId);
    const way = isGuest || address ? 'What you are writing stays.' : 'Open the link that you signed in with, or a newer one. What you are writing stays.';
    setText(byId('renewal-text'), `${sentence} ${way}`);
    byId('renewal-again').hidden = !isGuest;
    setText(byId('renewal-again'), `Go on as ${this.#me.username}`);
    byId('renewal-link').hidden = isGuest || !address;
    if (address) byId('renewal-link').href = address;
    showProblem(byId('renewal-problem'), '');
    byId('renewal').hidden = false;
  }
}

/** When a token ends, as it says itself: enough to tell which of two of the same person is the newer. */
function endOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))).exp ?? 0;
  } catch {
    return 0;
  }
}
