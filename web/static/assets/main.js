// Puts the page together: sign-in, then the views of the user's role.

import { byId, setText, showProblem, wait } from './dom.js';
import { api, readToken, keepToken, forgetToken, forgetEverything, takeTokenFromAddress, readSettings } from './session.js';
import { showSignIn, leaveWord, explainRefusal } from './signin.js';
import { Renewal } from './renewal.js';
import { Connection } from './socket.js';
import { Views } from './views.js';
import { People } from './people.js';
import { Fleet } from './fleet.js';
import { Driver } from './driver.js';
import { Chat } from './chat.js';
import { ChatView } from './chatview.js';
import { Notices } from './notices.js';
import { Broadcast } from './broadcast.js';

const stateTexts = { connecting: 'Connecting…', connected: 'Connected', reconnecting: 'Reconnecting…', ended: 'Signed out' };

/** Asks who the token belongs to, for as long as the server cannot be reached. */
async function identify() {
  for (let delay = 500; ; delay = Math.min(8000, delay * 2)) {
    try {
      return await api('/me');
    } catch (error) {
      if (error.status === 401 || error.status === 403) {
        forgetToken();
        leaveWord(explainRefusal(error));
        return null;
      }
      showProblem(byId('signin-problem'), `${error.message} Trying again…`);
      byId('signin').hidden = false;
      await wait(error.retryAfterMs ?? delay);
    }
  }
}

function showState(state, sentence) {
  byId('connection').dataset.state = state;
  setText(byId('connection'), sentence ?? stateTexts[state]);
}

/** Starts the page for who is signed in, and returns what takes a newer token. */
function start(me, settings) {
  byId('signin').hidden = true;
  byId('app').hidden = false;
  setText(byId('me-name'), me.username);
  setText(byId('me-role'), me.companyId ? `${me.role} · ${me.companyId}` : me.role);

  let notices;
  let renewal;
  const say = (sentence) => notices.say(sentence, 'warning');
  const views = new Views(me.role);
  const connection = new Connection({ onState: showState, onRefused: (refusal) => renewal.end(refusal), onError: say });
  const people = new People(connection, me);
  renewal = new Renewal({ connection, me, settings });
  notices = new Notices({ connection, onUnread: (count) => views.countUnread('notices', count), onOpen: () => views.show('notices') });
  const chat = new Chat({ connection, me, onUnread: (count) => views.countUnread('chat', count), onProblem: say });
  const chatView = new ChatView({ chat, people, openRooms: settings.openRooms });
  views.onShow = () => {
    chat.seen();
    notices.seen();
  };
  const talkTo = (userId) => {
    views.show('chat');
    chatView.openPerson(userId);
  };
  if (document.body.dataset.layout === 'map') {
    new Fleet({ connection, people, me, demo: settings.demo, onMessage: talkTo, onShowMap: () => views.show('map') });
  }
  if (me.role === 'driver') new Driver({ connection, me, demo: settings.demo });
  if (me.role === 'admin') new Broadcast(people);
  byId('signout').onclick = () => {
    forgetEverything();
    location.reload();
  };
  connection.on('connect', () => people.search('').catch(() => {}));
  connection.open();
  return renewal;
}

const arrived = takeTokenFromAddress();
if (arrived !== null) keepToken(arrived);
const settings = await readSettings();
const me = readToken() && await identify();
let renewal = null;
if (me) {
  renewal = start(me, settings);
  if (arrived !== null) renewal.share(arrived);
} else {
  await showSignIn(settings);
}
// A link opened in a tab that already shows the page changes only the fragment.
addEventListener('hashchange', async () => {
  const token = takeTokenFromAddress();
  if (token === null) return;
  try {
    if (!renewal) throw new Error('nobody is signed in yet');
    await renewal.take(token);
  } catch {
    keepToken(token);
    location.reload();
  }
});
