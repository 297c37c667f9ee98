// Chat's looks: the open thread and the composer, beside the list of conversations and people.

import { byId, make, setText, arrange, oncePerFrame } from './dom.js';
import { clock, day, timeOf, ago } from './time.js';
import { shownText } from './changes.js';
import { titleOf } from './chat.js';
import { shownName } from './people.js';
import { TalkList } from './talklist.js';
import { offerGroups } from './groups.js';
import { offerRooms } from './rooms.js';
import { showFiles } from './files.js';

const longestText = 5000; // characters (code points), as the server counts them
const typingEveryMs = 2500;
const togetherMs = 300_000; // messages of one person within this time stand together

export class ChatView {
  #chat;
  #people;
  #list;
  #nodes = new Map(); // of the open thread: key → list item
  #shown = null;
  #renderSoon = oncePerFrame(() => this.#render());
  #typingSent = 0;

  constructor({ chat, people, openRooms }) {
    this.#chat = chat;
    this.#people = people;
    this.#list = new TalkList({
      chat, people,
      onOpen: (roomId) => this.open(roomId), onPerson: (userId) => this.openPerson(userId), onChange: this.#renderSoon,
    });
    chat.onChange(this.#renderSoon);
    chat.onHeard = ({ username, text }) => setText(byId('said'), `${username}: ${text.slice(0, 200)}`);
    people.onChange(this.#renderSoon);
    chat.isVisible = () => byId('thread').offsetParent !== null;
    document.addEventListener('visibilitychange', () => chat.seen());
    byId('thread-back').onclick = () => (history.state?.thread ? history.back() : this.#goBack());
    addEventListener('popstate', () => { if (coversList()) this.#goBack(); });
    byId('thread-leave').onclick = () => chat.leave(chat.active);
    byId('thread-older').onclick = () => this.#loadOlder();
    offerGroups(people, async (name, userIds, clientId) => this.open(await chat.createGroup(name, userIds, clientId)));
    if (openRooms) offerRooms((roomId) => this.#enterRoom(roomId));
    this.#listenToComposer();
    this.#render();
  }

  async openPerson(userId) {
    const talk = this.#chat.with(userId) ?? await this.#chat.enter(`dm:${this.#people.me.userId}:${userId}`);
    if (talk) this.open(talk.id);
  }

  open(roomId) {
    this.#list.clearSearch();
    this.#chat.open(roomId);
    this.#render();
    this.#chat.seen();
    if (coversList() && !history.state?.thread) history.pushState({ thread: true }, ''); // a phone's own way back leads to the list
    if (matchMedia('(hover: hover)').matches) byId('composer-text').focus();
    else byId('thread-scroll').focus();
  }

  async #enterRoom(roomId) {
    let problem;
    const talk = await this.#chat.enter(roomId, (sentence) => { problem = sentence; });
    if (talk) this.open(talk.id);
    return problem;
  }

  #goBack() {
    const { id } = this.#chat.active;
    this.#chat.close();
    this.#render();
    const rows = [...byId('talks-list').children];
    (rows.find(({ dataset }) => dataset.key === id)?.firstChild ?? byId('talks-search')).focus();
  }

  #listenToComposer() {
    const text = byId('composer-text');
    text.addEventListener('input', () => {
      this.#growComposer();
      this.#chat.keepDraft(this.#chat.active, text.value);
      if (!text.value.trim() || Date.now() - this.#typingSent < typingEveryMs) return;
      this.#typingSent = Date.now();
      this.#chat.typing(true);
    });
    text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      byId('composer').requestSubmit();
    });
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      if (!text.value.trim()) return;
      this.#chat.send(text.value.trim());
      if (this.#typingSent) this.#chat.typing(false);
      this.#typingSent = 0;
      this.#fillComposer('');
      this.#chat.keepDraft(this.#chat.active, '');
      this.#render();
      this.#scrollDown();
    });
  }

  #fillComposer(text) {
    byId('composer-text').value = text;
    this.#growComposer();
  }

  #growComposer() {
    const text = byId('composer-text');
    text.style.height = 'auto';
    text.style.height = `${Math.min(160, text.scrollHeight + 2)}px`;
    const left = longestText - [...text.value.trim()].length;
    setText(byId('composer-count'), left < 500 ? String(left) : '');
    text.setCustomValidity(left < 0 ? `A message has at most ${longestText} characters.` : '');
  }

  async #loadOlder() {
    const scroll = byId('thread-scroll');
    const below = scroll.scrollHeight - scroll.scrollTop;
    await this.#chat.loadOlder(this.#chat.active);
    this.#render();
    scroll.scrollTop = scroll.scrollHeight - below;
  }

  #scrollDown() {
    const scroll = byId('thread-scroll');
    scroll.scrollTop = scroll.scrollHeight;
  }

  #render() {
    this.#list.render();
    this.#renderThread();
  }

  #renderThread() {
    const talk = this.#chat.active;
    byId('thread').hidden = !talk;
    byId('thread-none').hidden = Boolean(talk);
    byId('chat').classList.toggle('has-thread', Boolean(talk));
    if (!talk) {
      this.#shown = null;
      return;
    }
    const scroll = byId('thread-scroll');
    const switched = this.#shown !== talk;
    const atEnd = switched || scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
    if (switched) this.#nodes.clear();
    this.#shown = talk;
    if (switched) this.#fillComposer(this.#chat.draftOf(talk));
    const { peer } = talk;
    setText(byId('thread-title'), titleOf(talk, this.#people));
    setText(byId('thread-note'), peer ? this.#presence(peer) : kindTexts[talk.kind] ?? '');
    byId('thread-leave').hidden = Boolean(peer);
    byId('thread-older').hidden = !talk.hasOlder;
    arrange(byId('thread-messages'), this.#items(talk));
    const names = talk.typists(Date.now());
    setText(byId('thread-typing'), names.length === 0 ? '' : `${names.slice(0, 3).join(', ')} ${names.length === 1 ? 'is' : 'are'} typing…`);
    if (atEnd) this.#scrollDown();
  }

  #presence(userId) {
    const person = this.#people.get(userId);
    if (!person) return userId;
    const seen = person.online ? 'online' : timeOf(person.lastSeen) > 0 ? `seen ${ago(person.lastSeen)}` : person.online === false && 'offline';
    return [person.role, person.companyId, seen, person.username === userId ? '' : userId].filter(Boolean).join(' · ');
  }

  #items(talk) {
    const items = [];
    const waiting = talk.pending.filter(({ arrived }) => !arrived);
    const lastMine = talk.messages.findLast(({ userId, kind }) => !kind && userId === this.#people.me.userId);
    let previous = null;
    for (const message of talk.messages) {
      const today = day(message.timestamp);
      if (!previous || day(previous.timestamp) !== today) {
        items.push(this.#node(`day ${message.seq}`, () => make('li', { class: 'day' }, today)));
      }
      if (message.kind === 'system') { // what has become of a group
        items.push(this.#node(message.id, () => make('li', { class: 'day', dir: 'auto' }, message.text)));
        previous = { timestamp: message.timestamp };
        continue;
      }
      const continues = previous?.userId === message.userId && timeOf(message.timestamp) - timeOf(previous.timestamp) < togetherMs;
      const item = this.#node(message.id, () => this.#bubble(message));
      showBubble(item, message);
      item.classList.toggle('continues', continues);
      const readers = message === lastMine ? talk.readers(message.seq, message.userId) : 0;
      setText(item.lastChild, clock(message.timestamp) + (message.editedAt ? ' · edited' : '') + (readers === 0 ? '' : readers === 1 ? ' · read' : ` · read by ${readers}`));
      items.push(item);
      previous = message;
    }
    for (const entry of waiting) items.push(this.#pendingItem(talk, entry));
    return items;
  }

  #node(key, build) {
    if (!this.#nodes.has(key)) this.#nodes.set(key, build());
    return this.#nodes.get(key);
  }

  #bubble({ userId, username }) {
    const mine = userId === this.#people.me.userId;
    return make('li', { class: mine ? 'message mine' : 'message' },
      make('strong', { class: 'author', dir: 'auto' }, mine ? 'You' : shownName(username, userId)),
      make('p', { class: 'quote' }, make('strong', { dir: 'auto' }), make('span', { dir: 'auto' })),
      make('p', { class: 'text', dir: 'auto' }),
      make('p', { class: 'files', hidden: true }),
      make('p', { class: 'reactions' }),
      make('small', { class: 'muted' }));
  }

  #pendingItem(talk, entry) {
    const item = this.#node(entry.clientId, () => make('li', { class: 'message mine waiting' },
      make('p', { class: 'text', dir: 'auto' }, entry.text), make('small', { class: 'muted' })));
    const state = item.lastChild;
    item.classList.toggle('failed', Boolean(entry.problem));
    const shown = entry.problem ?? 'Sending…';
    if (state.dataset.shown === shown) return item;
    state.dataset.shown = shown;
    if (!entry.problem) state.replaceChildren(shown);
    else {
      state.replaceChildren(`Not sent: ${shown} `,
        make('button', { type: 'button', class: 'quiet', onclick: () => this.#chat.retry(talk, entry) }, 'Try again'),
        make('button', { type: 'button', class: 'quiet', onclick: () => this.#chat.discard(talk, entry) }, 'Discard'));
    }
    return item;
  }
}

/** Shows in a bubble what a message has become. */
function showBubble(item, message) {
  const [, quote, text, files, reactions] = item.children;
  const { quoted } = message;
  quote.hidden = !quoted;
  setText(quote.firstChild, quoted ? shownName(quoted.username, quoted.userId) : '');
  setText(quote.lastChild, quoted ? shownText(quoted) : '');
  setText(text, shownText(message));
  showFiles(files, message.attachments);
  item.classList.toggle('deleted', Boolean(message.deleted));
  reactions.hidden = !message.reactions?.length;
  setText(reactions, (message.reactions ?? []).map(({ emoji, count }) => `${emoji} ${count}`).join('   '));
}

/** Whether a thread is open and there is no room for the list beside it. */
const coversList = () => byId('thread-back').offsetParent !== null;

const kindTexts = { open: 'Public room: anyone signed in can read it', group: 'Group' };
