// Chat's looks: the list of conversations and people, the open thread, the composer.

import { byId, make, setText, arrange, showBadge, oncePerFrame, clock, day, age } from './dom.js';
import { titleOf } from './chat.js';
import { moveAlongRows } from './fleet.js';

const longestText = 5000; // characters (code points), as the server counts them
const typingEveryMs = 2500;

export class ChatView {
  #chat;
  #people;
  #nodes = new Map(); // of the open thread: key → list item
  #shown = null;
  #renderSoon = oncePerFrame(() => this.#render());
  #typingSent = 0;
  #searchTimer;

  constructor(chat, people) {
    this.#chat = chat;
    this.#people = people;
    chat.onChange(this.#renderSoon);
    people.onChange(this.#renderSoon);
    chat.isVisible = () => byId('thread').offsetParent !== null;
    document.addEventListener('visibilitychange', () => chat.seen());
    byId('talks-search').oninput = () => this.#search();
    byId('talks-list').onkeydown = moveAlongRows;
    byId('thread-back').onclick = () => { chat.close(); byId('talks-search').focus(); };
    byId('thread-leave').onclick = () => chat.leave(chat.active);
    byId('thread-older').onclick = () => this.#loadOlder();
    this.#listenToComposer();
    this.#render();
  }

  openPerson(userId) {
    const talk = this.#chat.with(userId);
    if (talk) this.open(talk.id);
    else this.#openNew(`dm:${this.#people.me.userId}:${userId}`);
  }

  async #openNew(roomId) {
    const talk = await this.#chat.enter(roomId);
    if (talk) this.open(talk.id);
  }

  open(roomId) {
    byId('talks-search').value = '';
    this.#chat.open(roomId);
    this.#render();
    this.#chat.seen();
    if (matchMedia('(hover: hover)').matches) byId('composer-text').focus();
  }

  #search() {
    this.#renderSoon();
    clearTimeout(this.#searchTimer);
    this.#searchTimer = setTimeout(() => this.#people.search(byId('talks-search').value.trim()).catch(() => {}), 250);
  }

  #listenToComposer() {
    const text = byId('composer-text');
    const grow = () => {
      text.style.height = 'auto';
      text.style.height = `${Math.min(160, text.scrollHeight + 2)}px`;
      const left = longestText - [...text.value].length;
      setText(byId('composer-count'), left < 500 ? String(left) : '');
      text.setCustomValidity(left < 0 ? `A message has at most ${longestText} characters.` : '');
    };
    text.addEventListener('input', () => {
      grow();
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
      this.#chat.send(text.value);
      if (this.#typingSent) this.#chat.typing(false);
      this.#typingSent = 0;
      text.value = '';
      grow();
      this.#render();
      this.#scrollDown();
    });
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
    this.#renderList();
    this.#renderThread();
  }

  #renderList() {
    const query = byId('talks-search').value.trim();
    const matches = (text) => text.toLowerCase().includes(query.toLowerCase());
    const talks = [...this.#chat.conversations.values()]
      .filter((talk) => matches(titleOf(talk, this.#people)))
      .sort((a, b) => (b.messages.at(-1)?.timestamp ?? 0) - (a.messages.at(-1)?.timestamp ?? 0));
    const peers = new Set(talks.map(({ peer }) => peer));
    const rows = talks.map((talk) => this.#talkRow(talk));
    const isPerson = this.#people.matching(query, 1).some(({ userId, username }) => userId === query || username === query);
    if (query && !/\s/.test(query) && !isPerson && !talks.some(({ id }) => id === query)) {
      rows.push(row('#', make('strong', {}, `Open room “${query}”`), make('small', { class: 'muted' }, 'Anyone signed in can join'),
        { onclick: () => this.#openNew(query) }));
    }
    for (const person of this.#people.matching(query, 50)) {
      if (!peers.has(person.userId)) rows.push(this.#personRow(person));
    }
    const focused = document.activeElement?.closest?.('#talks-list li')?.dataset.key;
    byId('talks-list').replaceChildren(...rows);
    if (focused) rows.find(({ dataset }) => dataset.key === focused)?.firstChild.focus();
  }

  #talkRow(talk) {
    const { peer } = talk;
    const title = titleOf(talk, this.#people);
    const last = talk.messages.at(-1);
    const preview = last ? `${last.userId === this.#people.me.userId ? 'You: ' : ''}${last.text.slice(0, 120)}` : 'No message yet';
    const count = make('span', { class: 'badge' });
    showBadge(count, talk.unread);
    const item = row(peer ? title : '#', make('strong', { dir: 'auto' }, title), make('small', { class: 'muted', dir: 'auto' }, preview), {
      'aria-current': talk === this.#chat.active && 'true',
      onclick: () => this.open(talk.id),
    }, make('span', { class: 'aside' }, make('small', { class: 'muted' }, last ? clock(last.timestamp) : ''), count), this.#people.get(peer)?.online);
    item.dataset.key = talk.id;
    return item;
  }

  #personRow({ userId, username, role, companyId, online, lastSeen }) {
    const seen = online ? 'online' : lastSeen > 0 && `seen ${age(lastSeen)} ago`;
    const about = [role, companyId, seen].filter(Boolean).join(' · ');
    const item = row(username, make('strong', { dir: 'auto' }, username), make('small', { class: 'muted' }, about),
      { onclick: () => this.openPerson(userId) }, null, online);
    item.dataset.key = userId;
    return item;
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
    const { peer } = talk;
    setText(byId('thread-title'), titleOf(talk, this.#people));
    setText(byId('thread-note'), peer ? this.#presence(peer) : 'Room');
    byId('thread-leave').hidden = Boolean(peer);
    byId('thread-older').hidden = !talk.hasOlder;
    arrange(byId('thread-messages'), this.#items(talk));
    const names = talk.typists(Date.now());
    setText(byId('thread-typing'), names.length === 0 ? '' : `${names.slice(0, 3).join(', ')} ${names.length === 1 ? 'is' : 'are'} typing…`);
    if (atEnd) this.#scrollDown();
  }

  #presence(userId) {
    const person = this.#people.get(userId);
    if (!person) return '';
    return [person.role, person.online ? 'online' : 'offline'].filter(Boolean).join(' · ');
  }

  #items(talk) {
    const items = [];
    const waiting = talk.pending.filter(({ arrived }) => !arrived);
    const lastMine = talk.messages.findLast(({ userId }) => userId === this.#people.me.userId);
    let previous = null;
    for (const message of talk.messages) {
      const today = day(message.timestamp);
      if (!previous || day(previous.timestamp) !== today) {
        items.push(this.#node(`day ${message.seq}`, () => make('li', { class: 'day' }, today)));
      }
      const continues = previous?.userId === message.userId && message.timestamp - previous.timestamp < 300_000;
      const item = this.#node(message.id, () => this.#bubble(message));
      item.classList.toggle('continues', continues);
      const readers = message === lastMine ? talk.readers(message.seq, message.userId) : 0;
      setText(item.lastChild, clock(message.timestamp) + (readers === 0 ? '' : readers === 1 ? ' · read' : ` · read by ${readers}`));
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

  #bubble({ userId, username, text }) {
    const mine = userId === this.#people.me.userId;
    return make('li', { class: mine ? 'message mine' : 'message' },
      make('strong', { class: 'author', dir: 'auto' }, mine ? 'You' : username),
      make('p', { class: 'text', dir: 'auto' }, text),
      make('small', { class: 'muted' }));
  }

  #pendingItem(talk, entry) {
    const item = this.#node(entry.clientId, () => make('li', { class: 'message mine waiting' },
      make('p', { class: 'text', dir: 'auto' }, entry.text), make('small', { class: 'muted' })));
    const state = item.lastChild;
    item.classList.toggle('failed', Boolean(entry.problem));
    if (state.dataset.problem === (entry.problem ?? '')) return item;
    state.dataset.problem = entry.problem ?? '';
    if (!entry.problem) state.replaceChildren('Sending…');
    else {
      state.replaceChildren(`Not sent: ${entry.problem} `,
        make('button', { type: 'button', class: 'quiet', onclick: () => this.#chat.retry(talk, entry) }, 'Try again'),
        make('button', { type: 'button', class: 'quiet', onclick: () => this.#chat.discard(talk, entry) }, 'Discard'));
    }
    return item;
  }
}

/** A row of the list: a round sign made from a name, two lines of text, and what stands at the end. */
function row(name, title, about, attributes, aside = null, online = false) {
  return make('li', {}, make('button', { type: 'button', class: 'row', ...attributes },
    make('span', { class: 'sign', 'aria-hidden': 'true', 'data-online': Boolean(online) }, [...name][0]?.toUpperCase() ?? '?'),
    make('span', { class: 'grow' }, title, about), aside));
}
