// Who is signed in: the token, what the server says of itself, and REST calls.

const tokenKey = 'rolecall:token';
const keyPrefix = 'rolecall:';

/** Takes a token out of the address (/#token=…, or #access_token=…). Returns it, or null where there is none. */
export function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get('token') ?? given.get('access_token');
  if (token !== null) history.replaceState(null, '', location.pathname + location.search);
  return token;
}

export const readToken = () => sessionStorage.getItem(tokenKey);
export const keepToken = (token) => sessionStorage.setItem(tokenKey, token.trim());

/** Forgets the token, and keeps what the person was in the middle of for when they come back. */
export const forgetToken = () => sessionStorage.removeItem(tokenKey);

/** Forgets all that this tab knows. */
export function forgetEverything() {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(keyPrefix)) sessionStorage.removeItem(key);
}

/** A REST call that the server refused. `message` is the server's sentence. status is 0 when it was not reached. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code;
    this.retryAfterMs = problem.retryAfterMs;
  }
}

/** Calls the REST interface. `path` is below /api/v1; `body` is sent as JSON. Throws ApiError. */
export async function api(path, { method = 'GET', body, headers = {}, token = readToken() } = {}) {
  const request = { method, headers: { ...headers, Authorization: `Bearer ${token}` }, cache: 'no-store' };
  if (body !== undefined) {
    request.headers['Content-Type'] = 'application/json';
    request.body = JSON.stringify(body);
  }
  const response = await reach(`/api/v1${path}`, request);
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})));
  return response.status === 204 ? null : response.json();
}

/** Yields the items of a list page by page, up to `most` pages. */
export async function* listPages(path, most = 50) {
  let cursor = '';
  for (let page = 0; page < most; page += 1) {
    const address = cursor ? `${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}` : path;
    const { items, nextCursor } = await api(address);
    yield items;
    if (!nextCursor) return;
    cursor = nextCursor;
  }
}

/** What the server says of itself to everybody: { demo, openRooms, signInUrl? }. */
export async function readSettings() {
  const response = await fetch('/settings.json').catch(() => null);
  return (response?.ok && await response.json().catch(() => null)) || { demo: false, openRooms: true };
}

/** The address of the operator's sign-in page, told where to send people back to; nothing where there is none. */
export const signInAddress = ({ signInUrl }) => signInUrl?.replaceAll('{return}', encodeURIComponent(`${location.origin}/`));

/** The people of the demo that one may sign in as here: none outside the demo, and none on another machine. */
export async function demoPeople({ demo }) {
  if (!demo || !atTheMachine()) return [];
  const response = await fetch('/demo/people.json', { cache: 'no-store' }).catch(() => null);
  return response?.ok ? response.json() : [];
}

/** A token of one of the demo's people. Throws ApiError. */
export async function demoToken(userId) {
  const response = await reach(`/demo/people/${encodeURIComponent(userId)}/token`, { method: 'POST' });
  if (!response.ok) throw new ApiError(response.status, { title: 'The demo knows nobody of that name any more.' });
  return (await response.json()).token;
}

// Elsewhere the demo answers 404, which browsers write to their console in red: it is not worth asking.
const atTheMachine = () => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);

async function reach(address, request) {
  try {
    return await fetch(address, request);
  } catch {
    throw new ApiError(0, { title: 'The server cannot be reached.', code: 'offline' });
  }
}
