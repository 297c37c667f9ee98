// Tokens and the people they speak for, made as an identity provider would make them.
import { createHmac } from 'node:crypto';

/** The HS256 key every server of this suite is started with. */
export const SECRET = 'a-fixed-secret-for-tests-of-at-least-32-bytes';

/** How long a token lives unless a test says otherwise, in seconds. */
const LIFETIME = 3600;

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The time in whole seconds, as claims count it. */
export const nowSeconds = () => Math.floor(Date.now() / 1000);

/**
 * Signs a JWT (RFC 7519) with HMAC.
 * @param {object} claims the payload; `exp` is one hour ahead unless given, left out where it is undefined
 * @param {{ secret?: string, alg?: 'HS256'|'HS384'|'HS512'|'none' }} [options]
 */
export function mint(claims, { secret = SECRET, alg = 'HS256' } = {}) {
  const payload = { exp: nowSeconds() + LIFETIME, ...claims };
  const signed = `${base64url({ alg, typ: 'JWT' })}.${base64url(payload)}`;
  if (alg === 'none') return `${signed}.`;
  return `${signed}.${createHmac(`sha${alg.slice(2)}`, secret).update(signed).digest('base64url')}`;
}

let people = 0;

/**
 * Someone nobody has met before, with a token.
 * @param {'admin'|'driver'|'company'|'provider'|'vendor'} role
 * @param {{ userId?: string, username?: string, companyId?: string, exp?: number }} [details]
 */
export function person(role, details = {}) {
  people += 1;
  const { userId = `${role}-${people}`, username = `${role} number ${people}`, companyId, exp } = details;
  const claims = { sub: userId, username, role };
  if (companyId !== undefined) claims.companyId = companyId;
  if (exp !== undefined) claims.exp = exp;
  return { userId, username, role, companyId, token: mint(claims) };
}

/** Another token of the same person, with claims of its own. */
export function renew(who, claims = {}) {
  const { userId: sub, username, role, companyId } = who;
  return mint({ sub, username, role, ...(companyId === undefined ? {} : { companyId }), ...claims });
}
