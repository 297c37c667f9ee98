// The list of conversations and people, and the search over both.

import { byId, make, showBadge, showProblem } from './dom.js';
import { clock, timeOf, ago } from './time.js';
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
    const focused = document.activeElement?.closest?.('#talks-list li')?.dataset.key;
    byId('talks-list').replaceChildren(...rows);
    if (focused) rows.find(({ dataset }) => dataset.key === focused)?.firstChild.focus();
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
    const last = talk.messages.at(-1);
    const draft = talk === this.#chat.active ? '' : this.#chat.draftOf(talk);
    const said = last ? `${last.userId === this.#people.me.userId ? 'You: ' : ''}${last.text.slice(0, 120)}` : 'No message yet';
    const count = make('span', { class: 'badge' });
    showBadge(count, talk.unread);
    const item = row(peer ? title : '#', title, draft ? `Draft: ${draft.slice(0, 120)}` : said, {
      'aria-current': talk === this.#chat.active && 'true',
      onclick: () => this.#onOpen(talk.id),
    }, make('span', { class: 'aside' }, make('small', { class: 'muted' }, last ? clock(last.timestamp) : ''), count), this.#people.get(peer)?.online);
    item.dataset.key = talk.id;
    return item;
  }

  #personRow({ userId, username, role, companyId, online, lastSeen }) {
    const seen = online ? 'online' : timeOf(lastSeen) > 0 && `seen ${ago(lastSeen)}`;
    const about = [role, companyId, seen, username === userId ? '' : userId].filter(Boolean).join(' · ');
    const item = row(username, username, about, { onclick: () => this.#onPerson(userId) }, null, online);
    item.dataset.key = userId;
    return item;
  }
}

const lastTime = (talk) => timeOf(talk.messages.at(-1)?.timestamp) || 0;

/** A row of the list: a round sign made from a name, two lines of text, and what stands at the end. */
function row(name, title, about, attributes, aside = null, online = false) {
  const letter = [...name.trim()][0]?.toUpperCase() ?? '?';
  const sign = make('span', { class: 'sign', 'aria-hidden': 'true', 'data-online': Boolean(online) }, make('span', {}, letter));
  return make('li', {}, make('button', { type: 'button', class: 'row', ...attributes }, sign,
    make('span', { class: 'grow' }, make('strong', { dir: 'auto' }, title), make('small', { class: 'muted', dir: 'auto' }, about)), aside));
}
