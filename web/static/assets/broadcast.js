// What admins have beside the inbox: a form that sends notices, and the list of those sent.

import { byId, make, showProblem, randomId } from './dom.js';
import { ago } from './time.js';
import { api } from './session.js';
import { Picker } from './picker.js';

export class Broadcast {
  #form = byId('broadcast-form');
  #key = randomId(); // stays the same while the same notice is tried again, so that it is sent once

  #people;
  #picker;

  constructor(people) {
    this.#people = people;
    this.#picker = new Picker(people, 'broadcast', () => { this.#key = randomId(); });
    byId('broadcast').hidden = false;
    byId('broadcast').addEventListener('toggle', () => this.#listSent());
    this.#form.addEventListener('input', () => { this.#key = randomId(); });
    this.#form.addEventListener('change', () => this.#showAudience());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#showAudience();
  }

  #showAudience() {
    const { value } = this.#form.elements.audience;
    byId('broadcast-roles').hidden = value !== 'roles';
    byId('broadcast-ids').hidden = value !== 'companies';
    byId('broadcast-ids').required = value === 'companies';
    byId('broadcast-people').hidden = value !== 'users';
  }

  #audience() {
    const fields = this.#form.elements;
    const kind = fields.audience.value;
    if (kind === 'all') return { all: true };
    const values = {
      roles: () => [...fields.role].filter(({ checked }) => checked).map(({ value }) => value),
      companies: () => fields.ids.value.split(/[\s,]+/).filter(Boolean),
      users: () => this.#picker.userIds,
    }[kind]();
    if (values.length === 0) throw new Error('Choose who gets the notice.');
    return { [kind]: values };
  }

  async #send() {
    const fields = this.#form.elements;
    const button = this.#form.querySelector('[type=submit]');
    button.disabled = true;
    try {
      const body = {
        title: fields.title.value, body: fields.body.value, severity: fields.severity.value,
        audience: this.#audience(), requireAck: fields.requireAck.checked,
      };
      if (fields.expires.value) body.expiresAt = Date.now() + Number(fields.expires.value);
      await api('/notices', { method: 'POST', body, headers: { 'Idempotency-Key': this.#key } });
      this.#form.reset();
      this.#picker.clear();
      this.#key = randomId();
      this.#showAudience();
      showProblem(byId('broadcast-problem'), '');
      await this.#listSent();
    } catch (error) {
      showProblem(byId('broadcast-problem'), error.message);
    } finally {
      button.disabled = false;
    }
  }

  async #listSent() {
    try {
      const { items } = await api('/notices?limit=20');
      byId('sent-list').replaceChildren(...items.map((notice) => make('li', {},
        make('span', { class: 'grow' }, make('strong', { dir: 'auto' }, notice.title),
          make('small', { class: 'muted', dir: 'auto' }, `${this.#describe(notice.audience)} · ${ago(notice.createdAt)}`)),
        make('button', { type: 'button', class: 'quiet', onclick: () => this.#retract(notice.id) }, 'Retract'))));
    } catch (error) {
      showProblem(byId('broadcast-problem'), error.message);
    }
  }

  async #retract(id) {
    try {
      await api(`/notices/${encodeURIComponent(id)}`, { method: 'DELETE' });
      await this.#listSent();
    } catch (error) {
      showProblem(byId('broadcast-problem'), error.message);
    }
  }

  #describe({ all, roles = [], users = [], companies = [], companyRoles = [] } = {}) {
    if (all) return 'Everyone';
    const pairs = companyRoles.map(({ companyId, role }) => `${role} of ${companyId}`);
    return [...roles, ...companies, ...users.map((id) => this.#people.nameOf(id)), ...pairs].join(', ');
  }
}
