// Puts the page together: sign-in, then the views of the user's role.

import { byId, setText, showBadge, showProblem, wait, clock } from './dom.js';
import { api, readToken, keepToken, forgetToken, takeTokenFromAddress } from './session.js';
import { Connection } from './socket.js';
import { People } from './people.js';
import { Fleet } from './fleet.js';
import { Driver } from './driver.js';
import { Chat } from './chat.js';
import { ChatView } from './chatview.js';
import { Notices } from './notices.js';
import { Broadcast } from './broadcast.js';

const problemKey = 'rolecall:problem';
const stateTexts = { connecting: 'Connecting…', connected: 'Connected', reconnecting: 'Reconnecting…' };
const viewsOf = {
  admin: ['map', 'drivers', 'chat', 'notices'],
  company: ['map', 'drivers', 'chat', 'notices'],
  driver: ['drive', 'chat', 'notices'],
};
const plainViews = ['chat', 'notices'];

/** Ends the session; a reload leaves nothing of it in memory. The sentence is shown on the sign-in form. */
function signOut(sentence = '') {
  forgetToken();
  sessionStorage.setItem(problemKey, sentence);
  location.reload();
}

function showSignIn() {
  byId('signin').hidden = false;
  showProblem(byId('signin-problem'), sessionStorage.getItem(problemKey));
  sessionStorage.removeItem(problemKey);
  byId('signin-token').focus();
  byId('signin-form').addEventListener('submit', (event) => {
    event.preventDefault();
    keepToken(byId('signin-token').value);
    location.reload();
  });
}

/** Asks who the token belongs to, for as long as the server cannot be reached. */
async function identify() {
  for (let delay = 500; ; delay = Math.min(8000, delay * 2)) {
    try {
      return await api('/me');
    } catch (error) {
      if (error.status === 401 || error.status === 403) {
        signOut(error.message);
        return null;
      }
      showProblem(byId('signin-problem'), `${error.message} Trying again…`);
      byId('signin').hidden = false;
      await wait(error.retryAfterMs ?? delay);
    }
  }
}

/** Chooses views. On a wide screen only chat and notices share a place; on a phone one view shows at a time. */
class Views {
  #unread = { chat: 0, notices: 0 };

  constructor(role) {
    const views = viewsOf[role] ?? plainViews;
    document.body.dataset.layout = views[0];
    for (const tab of document.querySelectorAll('.tabs button')) {
      tab.hidden = !views.includes(tab.dataset.view);
      tab.addEventListener('click', () => this.show(tab.dataset.view));
    }
    for (const view of document.querySelectorAll('.view')) view.classList.toggle('absent', !views.includes(view.id));
    document.body.dataset.side = 'chat';
    this.show(views[0]);
  }

  onShow = () => {};

  show(view) {
    document.body.dataset.view = view;
    if (plainViews.includes(view)) document.body.dataset.side = view;
    for (const tab of document.querySelectorAll('.tabs button')) {
      const current = tab.dataset.view === view || tab.dataset.view === document.body.dataset.side;
      tab.toggleAttribute('data-side', tab.dataset.view === document.body.dataset.side);
      if (current) tab.setAttribute('aria-current', tab.dataset.view === view ? 'page' : 'true');
      else tab.removeAttribute('aria-current');
    }
    this.onShow();
  }

  countUnread(view, count) {
    this.#unread[view] = count;
    showBadge(byId(`${view}-badge`), count);
    const all = this.#unread.chat + this.#unread.notices;
    document.title = all > 0 ? `(${all}) Rolecall` : 'Rolecall';
  }
}

function showState(state, sentence) {
  byId('connection').dataset.state = state;
  setText(byId('connection'), sentence ?? stateTexts[state]);
}

/** When the token is about to end, offers to put in a new one without losing the connection. */
function offerRenewal(connection, notices) {
  connection.on('auth:expiring', ({ expiresAt }) => {
    setText(byId('expiring-text'), `Your access ends at ${clock(expiresAt)}.`);
    byId('expiring').hidden = false;
  });
  byId('expiring').addEventListener('submit', async (event) => {
    event.preventDefault();
    const token = byId('expiring-token').value.trim();
    try {
      await connection.call('auth:refresh', { token });
      keepToken(token);
      byId('expiring').hidden = true;
      byId('expiring-token').value = '';
    } catch (error) {
      notices.say(error.message, 'warning');
    }
  });
}

function start(me) {
  byId('signin').hidden = true;
  byId('app').hidden = false;
  setText(byId('me-name'), me.username);
  setText(byId('me-role'), me.companyId ? `${me.role} · ${me.companyId}` : me.role);
  byId('signout').onclick = () => signOut();

  let notices;
  const views = new Views(me.role);
  const connection = new Connection({ onState: showState, onRefused: signOut, onError: (sentence) => notices.say(sentence, 'warning') });
  const people = new People(connection, me);
  notices = new Notices({ connection, onUnread: (count) => views.countUnread('notices', count), onOpen: () => views.show('notices') });
  const chat = new Chat({
    connection, me,
    onUnread: (count) => views.countUnread('chat', count),
    onProblem: (sentence) => notices.say(sentence, 'warning'),
  });
  const chatView = new ChatView(chat, people);
  views.onShow = () => chat.seen();
  const talkTo = (userId) => {
    views.show('chat');
    chatView.openPerson(userId);
  };
  if (document.body.dataset.layout === 'map') new Fleet({ connection, people, onMessage: talkTo, onShowMap: () => views.show('map') });
  if (me.role === 'driver') new Driver({ connection, me });
  if (me.role === 'admin') new Broadcast();
  offerRenewal(connection, notices);
  connection.on('connect', () => people.search('').catch(() => {}));
  connection.open();
}

const arrived = takeTokenFromAddress();
// A link opened in a tab that already shows the page changes only the fragment.
addEventListener('hashchange', () => { if (takeTokenFromAddress()) location.reload(); });
if (arrived) sessionStorage.removeItem(problemKey);
if (readToken()) {
  const me = await identify();
  if (me) start(me);
} else {
  showSignIn();
}
