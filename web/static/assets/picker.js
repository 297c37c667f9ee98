// Choosing people by name, for a form that needs their ids.

import { byId, make } from './dom.js';

const mostFound = 6;

export class Picker {
  #people;
  #find;
  #found;
  #chosenList;
  #chosen = new Set();
  #onChange;

  /** `form` begins the ids of the search field and of the two lists; `onChange` hears that the choice has changed. */
  constructor(people, form, onChange) {
    this.#people = people;
    this.#find = byId(`${form}-find`);
    this.#found = byId(`${form}-found`);
    this.#chosenList = byId(`${form}-chosen`);
    this.#onChange = onChange;
    this.#find.oninput = () => this.#search();
    this.#find.onkeydown = (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault(); // the form is not sent by choosing somebody
      this.#found.querySelector('button')?.click();
    };
  }

  get userIds() { return [...this.#chosen]; }

  clear() {
    this.#chosen.clear();
    this.#find.value = '';
    this.#render();
  }

  async #search() {
    this.#render();
    const query = this.#find.value.trim();
    await this.#people.search(query).catch(() => {});
    if (query === this.#find.value.trim()) this.#render();
  }

  #toggle(userId) {
    if (!this.#chosen.delete(userId)) this.#chosen.add(userId);
    this.#find.value = '';
    this.#onChange();
    this.#render();
    this.#find.focus();
  }

  #render() {
    this.#chosenList.replaceChildren(...this.userIds.map((id) => make('li', {},
      make('button', { type: 'button', 'aria-label': `Take out ${this.#people.nameOf(id)}`, onclick: () => this.#toggle(id) },
        make('span', { dir: 'auto' }, this.#people.nameOf(id)), ' ×'))));
    const query = this.#find.value.trim();
    const found = query ? this.#people.matching(query, mostFound).filter(({ userId }) => !this.#chosen.has(userId)) : [];
    this.#found.replaceChildren(...found.map(({ userId, username, role }) => make('li', {},
      make('button', { type: 'button', class: 'row', onclick: () => this.#toggle(userId) },
        make('span', { class: 'grow' }, make('strong', { dir: 'auto' }, username),
          make('small', { class: 'muted' }, [role, username === userId ? '' : userId].filter(Boolean).join(' · ')))))));
  }
}
