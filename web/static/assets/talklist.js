// The list of conversations and people, and the search over both.

import { byId, make, setText, arrange, showBadge, showProblem } from './dom.js';
import { clock, timeOf, ago } from './time.js';
import { shownText } from './changes.js';
import { titleOf } from './chat.js';
import { folded } from './people.js';
import { moveAlongRows } from './fleet.js';

const mostPeople = 50;
const searchAfterMs = 250;

export class TalkList {
  #chat;
  #people;
  #onOpen;
  #onPerson;
  #rows = new Map(); // key → list item
  #searchTimer;
  #answered = ''; // the last query that the server has answered
  #render;

  /** `onOpen` hears the id of a conversation that was chosen, `onPerson` the id of a person, `onChange` that it looks different. */
  constructor({ chat, people, onOpen, onPerson, onChange }) {
    this.#chat = chat;
    this.#people = people;
    this.#onOpen = onOpen;
    this.#onPerson = onPerson;
    this.#render = onChange;
    byId('talks-search').oninput = () => this.#search();
    byId('talks-list').onkeydown = moveAlongRows;
  }

  render() {
    const query = byId('talks-search').value.trim();
    const talks = [...this.#chat.conversations.values()]
      .filter((talk) => folded(titleOf(talk, this.#people)).includes(folded(query)))
      .sort((a, b) => lastTime(b) - lastTime(a));
    const peers = new Set(talks.map(({ peer }) => peer));
    const people = this.#people.matching(query, mostPeople).filter(({ userId }) => !peers.has(userId));
    const rows = [...talks.map((talk) => this.#talkRow(talk)), ...people.map((person) => this.#personRow(person))];
    const shown = new Set(rows);
    for (const [key, item] of this.#rows) if (!shown.has(item)) this.#rows.delete(key);
    arrange(byId('talks-list'), rows);
    showProblem(byId('talks-none'), rows.length === 0 && this.#explainEmpty(query));
  }

  clearSearch() { byId('talks-search').value = ''; }

  #search() {
    this.#render();
    clearTimeout(this.#searchTimer);
    this.#searchTimer = setTimeout(() => this.#ask(byId('talks-search').value.trim()), searchAfterMs);
  }

  async #ask(query) {
    await this.#people.search(query).catch(() => {});
    this.#answered = query;
    this.#render();
  }

  #explainEmpty(query) {
    if (!query) return 'Nobody is here yet. People appear once they have signed in for the first time.';
    if (query !== this.#answered) return 'Searching…';
    return `Nobody called “${query}” was found. People can be found once they have signed in for the first time.`;
  }

  #talkRow(talk) {
    const { peer } = talk;
    const title = titleOf(talk, this.#people);
    const last = talk.lastMessage;
    const draft = talk === this.#chat.active ? '' : this.#chat.draftOf(talk);
    const said = last ? `${last.userId === this.#people.me.userId ? 'You: ' : ''}${shownText(last).slice(0, 120)}` : 'No message yet';
    return this.#row(talk.id, () => this.#onOpen(talk.id), {
      sign: peer ? title : '#', title, about: draft ? `Draft: ${draft.slice(0, 120)}` : said,
      time: last ? clock(last.timestamp) : '', unread: talk.unread, online: this.#people.get(peer)?.online, current: talk === this.#chat.active,
    });
  }

  #personRow({ userId, username, role, companyId, online, lastSeen }) {
    const seen = online ? 'online' : timeOf(lastSeen) > 0 && `seen ${ago(lastSeen)}`;
    const about = [role, companyId, seen, username === userId ? '' : userId].filter(Boolean).join(' · ');
    return this.#row(`person ${userId}`, () => this.#onPerson(userId), { sign: username, title: username, about, online });
  }

  // A row stays the same node whatever changes in it: a finger that is down on it must find it there when it is lifted.
  #row(key, onclick, { sign, title, about, time = '', unread = 0, online = false, current = false }) {
    if (!this.#rows.has(key)) this.#rows.set(key, emptyRow(key, onclick));
    const item = this.#rows.get(key);
    const button = item.firstChild;
    const [circle, names, aside] = button.children;
    setText(circle.firstChild, [...sign.trim()][0]?.toUpperCase() ?? '?');
    circle.toggleAttribute('data-online', Boolean(online));
    setText(names.firstChild, title);
    setText(names.lastChild, about);
    setText(aside.firstChild, time);
    showBadge(aside.lastChild, unread);
    if (current) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
    return item;
  }
}

const lastTime = (talk) => timeOf(talk.lastMessage?.timestamp) || 0;

/** A row of the list: a round sign made from a name, two lines of text, and what stands at the end. */
function emptyRow(key, onclick) {
  const item = make('li', {}, make('button', { type: 'button', class: 'row', onclick },
    make('span', { class: 'sign', 'aria-hidden': 'true' }, make('span', {})),
    make('span', { class: 'grow' }, make('strong', { dir: 'auto' }), make('small', { class: 'muted', dir: 'auto' })),
    make('span', { class: 'aside' }, make('small', { class: 'muted' }), make('span', { class: 'badge' }))));
  item.dataset.key = key;
  return item;
}
