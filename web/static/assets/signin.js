// The way in, for who has no token yet or none that is accepted.

import { byId, make, showProblem } from './dom.js';
import { keepToken, signInAddress, demoPeople, demoToken } from './session.js';

const problemKey = 'rolecall:problem';

/** Keeps a sentence for the sign-in form to show after the page has been loaded again. */
export const leaveWord = (sentence) => sessionStorage.setItem(problemKey, sentence);

/** What a refused token means for the person who has it. */
export function explainRefusal({ code, message }) {
  switch (code) {
    case 'auth_expired': return 'Your sign-in has ended. Sign in again to go on.';
    case 'auth_invalid': return 'The server does not accept this sign-in (any more). Sign in again.';
    case 'auth_role': return 'This sign-in carries no role that the server knows. Whoever runs it can give you one.';
    default: return message;
  }
}

/** Shows the form, with a way in that fits this server. */
export async function showSignIn(settings) {
  byId('signin').hidden = false;
  showProblem(byId('signin-problem'), sessionStorage.getItem(problemKey));
  sessionStorage.removeItem(problemKey);
  byId('signin-form').addEventListener('submit', (event) => {
    event.preventDefault();
    enter(byId('signin-token').value);
  });
  const people = await demoPeople(settings);
  const address = signInAddress(settings);
  byId('signin-people').replaceChildren(...people.map(personButton));
  byId('signin-demo').hidden = people.length === 0;
  byId('signin-link').hidden = !address;
  if (address) byId('signin-link').href = address;
  byId('signin-explained').hidden = people.length > 0 || Boolean(address);
  (byId('signin-people').querySelector('button') ?? (address ? byId('signin-link') : null))?.focus();
}

function personButton({ userId, username, role, companyId }) {
  return make('li', {}, make('button', { type: 'button', class: 'row', onclick: () => enterAs(userId) },
    make('span', { class: 'sign', 'aria-hidden': 'true' }, [...username][0]),
    make('span', { class: 'grow' }, make('strong', {}, username), make('small', { class: 'muted' }, companyId ? `${role} · ${companyId}` : role))));
}

async function enterAs(userId) {
  try {
    enter(await demoToken(userId));
  } catch (error) {
    showProblem(byId('signin-problem'), error.message);
  }
}

function enter(token) {
  keepToken(token);
  location.reload();
}
