// Notices to this user: the inbox, toasts for new ones, reading, retraction, expiry.

import { byId, make, showBadge, arrange, randomId, age } from './dom.js';
import { api } from './session.js';

const toastMs = 8000;
const mostToasts = 4;

export class Notices {
  #connection;
  #notices = new Map(); // id → { notice, read, item }
  #unread = 0;
  #cursor = null;
  #onUnread;
  #onOpen;

  /** `onUnread` hears the number of unread notices; `onOpen` that the user wants to see the inbox. */
  constructor({ connection, onUnread, onOpen }) {
    this.#connection = connection;
    this.#onUnread = onUnread;
    this.#onOpen = onOpen;
    connection.on('system:inbox', (inbox) => this.#restore(inbox));
    connection.on('system:notice', (notice) => this.#receive(notice));
    connection.on('system:retract', ({ id }) => this.#remove(id));
    byId('notices-all-read').onclick = () => this.#markRead(this.#unreadIds());
    byId('notices-more').onclick = () => this.#loadMore();
    setInterval(() => this.#expire(), 5000);
  }

  // What was read elsewhere, retracted or expired while away is no longer in the server's inbox. The list shown
  // after more pages were loaded is not cut back to the first page: what is on screen stays until it is read.
  #restore({ unread, notices }) {
    const current = new Set(notices.map(({ id }) => id));
    const whole = notices.length >= unread;
    for (const [id, { read }] of this.#notices) if (whole && !read && !current.has(id)) this.#notices.delete(id);
    for (const notice of notices) this.#put(notice);
    this.#unread = unread;
    this.#render();
  }

  #receive(notice) {
    if (this.#notices.has(notice.id)) return;
    this.#put(notice);
    this.#unread += 1;
    this.#render();
    this.#toast(notice);
  }

  #put(notice) {
    if (!this.#notices.has(notice.id)) this.#notices.set(notice.id, { notice, read: false, item: this.#item(notice) });
  }

  #remove(id) {
    const entry = this.#notices.get(id);
    if (entry && !entry.read) this.#unread -= 1;
    this.#notices.delete(id);
    this.#closeToast(id);
    this.#render();
  }

  #expire() {
    const now = Date.now();
    for (const [id, { notice }] of this.#notices) if (notice.expiresAt && new Date(notice.expiresAt) <= now) this.#remove(id);
    for (const { notice, item } of this.#notices.values()) item.querySelector('time').textContent = `${age(notice.createdAt, now)}`;
  }

  #unreadIds() { return [...this.#notices.values()].filter(({ read }) => !read).map(({ notice }) => notice.id); }

  async #markRead(ids) {
    if (ids.length === 0) return;
    try {
      const { unread } = await this.#connection.call('system:read', { ids });
      const fresh = ids.filter((id) => this.#notices.get(id)?.read === false);
      for (const id of fresh) this.#notices.get(id).read = true;
      for (const id of ids) this.#closeToast(id);
      this.#unread = Number.isInteger(unread) ? unread : this.#unread - fresh.length;
      this.#render();
    } catch (error) {
      this.say(error.message, 'warning');
    }
  }

  async #loadMore() {
    try {
      const { items, nextCursor, unread } = await api(`/me/inbox${this.#cursor ? `?cursor=${encodeURIComponent(this.#cursor)}` : ''}`);
      for (const notice of items) this.#put(notice);
      this.#cursor = nextCursor ?? null;
      this.#unread = unread;
      this.#render();
      if (this.#cursor && this.#unread > this.#unreadIds().length) await this.#loadMore();
    } catch (error) {
      this.say(error.message, 'warning');
    }
  }

  #render() {
    const entries = [...this.#notices.values()].sort((a, b) => a.read - b.read || new Date(b.notice.createdAt) - new Date(a.notice.createdAt));
    for (const { read, item } of entries) item.classList.toggle('read', read);
    arrange(byId('notices-list'), entries.map(({ item }) => item));
    const unread = Math.max(0, this.#unread);
    byId('notices-none').hidden = entries.length > 0;
    byId('notices-all-read').hidden = this.#unreadIds().length === 0;
    byId('notices-more').hidden = unread <= this.#unreadIds().length;
    showBadge(byId('notices-badge'), unread);
    this.#onUnread(unread);
  }

  #item(notice) {
    return make('li', { class: 'notice', 'data-severity': notice.severity }, ...this.#parts(notice),
      make('button', { type: 'button', class: 'mark', onclick: () => this.#markRead([notice.id]) },
        notice.requireAck ? 'Acknowledge' : 'Mark read'));
  }

  #parts({ title, body, severity, from, createdAt }) {
    return [
      make('p', { class: 'notice-head' }, make('span', { class: 'severity' }, severity), make('time', {}, age(createdAt))),
      make('strong', { dir: 'auto' }, title),
      make('p', { class: 'text', dir: 'auto' }, body),
      from && make('small', { class: 'muted', dir: 'auto' }, `from ${from.username}`),
    ];
  }

  /** Shows a notice for a moment; one that wants an acknowledgement stays until it is given or closed. */
  #toast(notice) {
    const lasting = notice.requireAck || notice.severity === 'critical';
    const open = make('button', { type: 'button', onclick: () => { this.#closeToast(notice.id); this.#onOpen(); } }, 'Open inbox');
    const mark = make('button', { type: 'button', onclick: () => this.#markRead([notice.id]) }, notice.requireAck ? 'Acknowledge' : 'Mark read');
    this.#raise(notice.id, notice.severity, [...this.#parts(notice), make('div', { class: 'buttons' }, mark, open)], lasting);
  }

  /** Shows a sentence that is not a notice, such as why something failed. */
  say(sentence, severity = 'info') { this.#raise(randomId(), severity, [make('p', { class: 'text', dir: 'auto' }, sentence)], false); }

  #raise(id, severity, parts, lasting) {
    const toast = make('div', { class: 'notice toast', 'data-severity': severity }, ...parts,
      make('button', { type: 'button', class: 'quiet close', 'aria-label': 'Close', onclick: () => this.#closeToast(id) }, '×'));
    toast.dataset.id = id;
    const place = byId('toasts');
    while (place.children.length >= mostToasts) place.firstChild.remove();
    place.append(toast);
    if (!lasting) setTimeout(() => this.#closeToast(id), toastMs);
  }

  #closeToast(id) {
    for (const toast of byId('toasts').children) if (toast.dataset.id === id) { toast.remove(); return; }
  }
}
