// Who is signed in: the token, and REST calls made with it.

const tokenKey = 'rolecall:token';

/** Moves a token from the address (/#token=…) into this tab's storage. Reports whether there was one. */
export function takeTokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return false;
  history.replaceState(null, '', location.pathname + location.search);
  keepToken(token);
  return true;
}

export const readToken = () => sessionStorage.getItem(tokenKey);
export const keepToken = (token) => sessionStorage.setItem(tokenKey, token.trim());
export const forgetToken = () => sessionStorage.removeItem(tokenKey);

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
export async function api(path, { method = 'GET', body, headers = {} } = {}) {
  const request = { method, headers: { ...headers, Authorization: `Bearer ${readToken()}` }, cache: 'no-store' };
  if (body !== undefined) {
    request.headers['Content-Type'] = 'application/json';
    request.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(`/api/v1${path}`, request);
  } catch {
    throw new ApiError(0, { title: 'The server cannot be reached.', code: 'offline' });
  }
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
