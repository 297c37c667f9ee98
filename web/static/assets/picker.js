// Choosing people by name, for a form that needs their ids.

import { byId, make } from './dom.js';

const mostFound = 6;

export class Picker {
  #people;
  #chosen = new Set();
  #onChange;

  /** `onChange` hears that the choice has changed. */
  constructor(people, onChange) {
    this.#people = people;
    this.#onChange = onChange;
    byId('broadcast-find').oninput = () => this.#search();
    byId('broadcast-find').onkeydown = (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault(); // the form is not sent by choosing somebody
      byId('broadcast-found').querySelector('button')?.click();
    };
  }

  get userIds() { return [...this.#chosen]; }

  clear() {
    this.#chosen.clear();
    byId('broadcast-find').value = '';
    this.#render();
  }

  async #search() {
    this.#render();
    const query = byId('broadcast-find').value.trim();
    await this.#people.search(query).catch(() => {});
    if (query === byId('broadcast-find').value.trim()) this.#render();
  }

  #toggle(userId) {
    if (!this.#chosen.delete(userId)) this.#chosen.add(userId);
    byId('broadcast-find').value = '';
    this.#onChange();
    this.#render();
    byId('broadcast-find').focus();
  }

  #render() {
    byId('broadcast-chosen').replaceChildren(...this.userIds.map((id) => make('li', {},
      make('button', { type: 'button', 'aria-label': `Take out ${this.#people.nameOf(id)}`, onclick: () => this.#toggle(id) },
        make('span', { dir: 'auto' }, this.#people.nameOf(id)), ' ×'))));
    const query = byId('broadcast-find').value.trim();
    const found = query ? this.#people.matching(query, mostFound).filter(({ userId }) => !this.#chosen.has(userId)) : [];
    byId('broadcast-found').replaceChildren(...found.map(({ userId, username, role }) => make('li', {},
      make('button', { type: 'button', class: 'row', onclick: () => this.#toggle(userId) },
        make('span', { class: 'grow' }, make('strong', { dir: 'auto' }, username),
          make('small', { class: 'muted' }, [role, username === userId ? '' : userId].filter(Boolean).join(' · ')))))));
  }
}
