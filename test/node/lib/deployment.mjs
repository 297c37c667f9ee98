// What three nodes need, from the program of test/servers/deployments, whose address TEST_DEPLOYMENTS is.
import { within } from './process.mjs';

/** How long anything may take, in milliseconds: the first deployment of all starts PostgreSQL. */
const PATIENCE = 60_000;

async function ask(method, route, body) {
  const at = process.env.TEST_DEPLOYMENTS;
  if (!at) throw new Error('TEST_NODES=3 needs TEST_DEPLOYMENTS: see test/clients.sh');
  const answer = await fetch(`${at}/${route}`, { method, body: JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} /${route}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

/** Resolves once a node, or one behind a proxy, takes clients. */
export async function ready(url) {
  while ((await fetch(`${url}/readyz`).catch(() => undefined))?.status !== 200) {
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

/** A database, a prefix in Redis, and a proxy. */
export class Deployment {
  /** The proxy's address. */
  url = '';
  /** ROLECALL_* variables of each node. */
  settings;
  #id;

  static async begin() {
    const made = new Deployment();
    const { id, settings, names } = await ask('POST', '');
    made.#id = id;
    made.settings = names.map((name) => ({ ...settings, ROLECALL_NODE_NAME: name }));
    return made;
  }

  /** Has the proxy lead to the nodes, and resolves once it does. */
  async lead(urls) {
    this.url ||= (await ask('POST', `${this.#id}/proxy`, urls.map((url) => new URL(url).host))).url;
    await within(PATIENCE, 'the proxy to lead to a node', ready(this.url));
  }

  async end() {
    await ask('DELETE', this.#id);
  }
}
