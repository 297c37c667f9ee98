// Notices to this user: the inbox and its history, toasts for new ones, reading, retraction, expiry.

import { byId, make, setText, showBadge, arrange } from './dom.js';
import { ago, moment, timeOf } from './time.js';
import { api } from './session.js';
import { raiseToast, closeToast, sayToast } from './toasts.js';

const syncMs = 200; // changes told within this time are asked about together

export class Notices {
  #connection;
  #notices = new Map(); // id → { notice, read, item }
  #unread = 0;
  #filter = 'unread'; // or 'all'
  #kept = new Set(); // ids read while the list of unread ones was open: they stay in it until it is opened anew
  #cursors = { unread: undefined, all: undefined }; // of the next page; undefined before the first, null behind the last
  #syncing = null;
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
    connection.on('system:unread', ({ unread }) => this.#noteUnread(unread));
    byId('notices-unread').onclick = () => this.#show('unread');
    byId('notices-all').onclick = () => this.#show('all');
    byId('notices-all-read').onclick = () => this.#markAllRead();
    byId('notices-more').onclick = () => this.#loadMore();
    setInterval(() => this.#tick(), 5000);
    this.#render();
  }

  /** The views have changed: what the inbox shows needs no toast. */
  seen() { if (isVisible()) for (const id of this.#notices.keys()) closeToast(id); }

  /** Shows a sentence that is not a notice, such as why something failed. */
  say(sentence, severity) { sayToast(sentence, severity); }

  #show(filter) {
    this.#filter = filter;
    this.#kept.clear();
    if (filter === 'all' && this.#cursors.all === undefined) this.#loadMore();
    this.#render();
  }

  // What was read elsewhere, retracted or expired while away is no longer in the server's inbox.
  #restore({ unread, notices }) {
    for (const notice of notices) this.#put(notice, false);
    if (notices.length >= unread) this.#settle(notices);
    this.#unread = unread;
    this.#cursors.all = undefined; // the history may have grown as well
    if (this.#filter === 'all') this.#loadMore();
    this.#render();
  }

  /** Takes what is held as unread and is not among all unread ones for read. */
  #settle(unread) {
    const current = new Set(unread.map(({ id }) => id));
    for (const [id, entry] of this.#notices) if (!current.has(id)) entry.read = true;
  }

  #receive(notice) {
    if (this.#notices.has(notice.id)) return;
    this.#put(notice, false);
    this.#unread += 1;
    this.#render();
    if (isVisible()) setText(byId('said'), `Notice: ${notice.title}`);
    else this.#toast(notice);
  }

  #put(notice, read) {
    const entry = this.#notices.get(notice.id);
    if (entry) entry.read = read;
    else this.#notices.set(notice.id, { notice, read, item: this.#item(notice) });
    if (read) closeToast(notice.id);
  }

  #remove(id) {
    const entry = this.#notices.get(id);
    if (entry && !entry.read) this.#unread -= 1;
    this.#notices.delete(id);
    closeToast(id);
    this.#render();
  }

  #tick() {
    const now = Date.now();
    for (const [id, { notice }] of this.#notices) if (timeOf(notice.expiresAt) <= now) this.#remove(id);
    for (const { notice, item } of this.#notices.values()) setText(item.querySelector('time'), ago(notice.createdAt, now));
  }

  #unreadIds() { return [...this.#notices].filter(([, { read }]) => !read).map(([id]) => id); }

  // Something was read, here or in another tab; which notices that were, the inbox tells.
  #noteUnread(unread) {
    this.#unread = unread;
    if (unread === 0) this.#settle([]);
    else if (unread !== this.#unreadIds().length) this.#syncSoon();
    this.#render();
  }

  #syncSoon() {
    this.#syncing ??= setTimeout(async () => {
      const inbox = await api('/me/inbox').catch(() => null); // without an answer the next event asks again
      this.#syncing = null;
      if (!inbox) return;
      for (const notice of inbox.items) this.#put(notice, false);
      if (!inbox.nextCursor) this.#settle(inbox.items);
      this.#unread = inbox.unread;
      this.#render();
    }, syncMs);
  }

  async #markRead(id) {
    await this.#attempt(async () => {
      const { unread } = await this.#connection.call('system:read', { ids: [id] });
      this.#noteRead([id]);
      this.#unread = unread;
    });
  }

  async #markAllRead() {
    await this.#attempt(async () => {
      const { unread } = await this.#connection.call('system:read', { all: true });
      this.#noteRead(this.#unreadIds());
      this.#unread = unread;
    });
  }

  #noteRead(ids) {
    for (const id of ids) {
      this.#notices.get(id).read = true;
      this.#kept.add(id);
      closeToast(id);
    }
  }

  async #loadMore() {
    const filter = this.#filter;
    const query = new URLSearchParams();
    if (filter === 'all') query.set('state', 'all');
    if (this.#cursors[filter]) query.set('cursor', this.#cursors[filter]);
    await this.#attempt(async () => {
      const { items, nextCursor, unread } = await api(`/me/inbox?${query}`);
      for (const { read = false, ...notice } of items) this.#put(notice, read);
      this.#cursors[filter] = nextCursor ?? null;
      if (Number.isInteger(unread)) this.#unread = unread;
    });
  }

  async #attempt(run) {
    try {
      await run();
    } catch (error) {
      this.say(error.message, 'warning');
    }
    this.#render();
  }

  #render() {
    const all = this.#filter === 'all';
    const held = this.#unreadIds().length;
    const entries = [...this.#notices].filter(([id, { read }]) => all || !read || this.#kept.has(id)).map(([, entry]) => entry)
      .sort((a, b) => timeOf(b.notice.createdAt) - timeOf(a.notice.createdAt));
    for (const { read, item } of entries) item.classList.toggle('read', read);
    arrange(byId('notices-list'), entries.map(({ item }) => item));
    const unread = Math.max(0, this.#unread, held);
    byId('notices-unread').setAttribute('aria-pressed', String(!all));
    byId('notices-all').setAttribute('aria-pressed', String(all));
    byId('notices-none').hidden = entries.length > 0;
    setText(byId('notices-none'), all ? 'No notices yet.' : 'You are up to date. What you have read is under All.');
    byId('notices-all-read').hidden = unread === 0;
    byId('notices-more').hidden = all ? !this.#cursors.all : unread <= held;
    showBadge(byId('notices-badge'), unread);
    this.#onUnread(unread);
  }

  #item(notice) {
    return make('li', { class: 'notice', 'data-severity': notice.severity }, ...parts(notice),
      make('button', { type: 'button', class: 'mark', onclick: () => this.#markRead(notice.id) },
        notice.requireAck ? 'Acknowledge' : 'Mark read'),
      make('small', { class: 'done muted' }, notice.requireAck ? 'Acknowledged' : 'Read'));
  }

  /** Shows a notice for a moment; one that wants an acknowledgement stays until it is given or closed. */
  #toast(notice) {
    const lasting = notice.requireAck || notice.severity === 'critical';
    const open = make('button', { type: 'button', onclick: () => { closeToast(notice.id); this.#onOpen(); } }, 'Open inbox');
    const mark = make('button', { type: 'button', onclick: () => this.#markRead(notice.id) }, notice.requireAck ? 'Acknowledge' : 'Mark read');
    raiseToast(notice.id, notice.severity, [...parts(notice), make('div', { class: 'buttons' }, mark, open)], lasting);
  }
}

const isVisible = () => byId('notices').offsetParent !== null && !document.hidden;

function parts({ title, body, severity, from, createdAt, expiresAt }) {
  const until = Number.isNaN(timeOf(expiresAt)) ? '' : `until ${moment(expiresAt)}`;
  const about = [from && `from ${from.username}`, until].filter(Boolean).join(' · ');
  return [
    make('p', { class: 'notice-head' }, make('span', { class: 'severity' }, severity), make('time', {}, ago(createdAt))),
    make('strong', { dir: 'auto' }, title),
    make('p', { class: 'text', dir: 'auto' }, body),
    about && make('small', { class: 'muted about', dir: 'auto' }, about),
  ];
}
