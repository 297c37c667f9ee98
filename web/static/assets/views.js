// Which view shows. A wide screen shows them side by side, a tablet two at a time, a phone one.

import { byId, showBadge } from './dom.js';

const viewsOf = {
  admin: ['map', 'drivers', 'chat', 'notices'],
  company: ['map', 'drivers', 'chat', 'notices'],
  driver: ['drive', 'chat', 'notices'],
};
const sideViews = ['chat', 'notices'];

export class Views {
  #unread = { chat: 0, notices: 0 };
  #tabs = [...document.querySelectorAll('.tabs button')];

  constructor(role) {
    const views = viewsOf[role] ?? sideViews;
    document.body.dataset.layout = views[0];
    for (const tab of this.#tabs) {
      tab.hidden = !views.includes(tab.dataset.view);
      tab.addEventListener('click', () => this.show(tab.dataset.view));
    }
    for (const view of document.querySelectorAll('.view')) view.classList.toggle('absent', !views.includes(view.id));
    Object.assign(document.body.dataset, { main: sideViews.includes(views[0]) ? '' : views[0], side: 'chat' });
    this.show(views[0]);
    fitToKeyboard();
  }

  onShow = () => {};

  show(view) {
    const { dataset } = document.body;
    dataset.view = view;
    dataset[sideViews.includes(view) ? 'side' : 'main'] = view;
    for (const tab of this.#tabs) {
      const current = tab.dataset.view === view;
      tab.toggleAttribute('data-shown', [dataset.main, dataset.side].includes(tab.dataset.view));
      if (current) tab.setAttribute('aria-current', 'page');
      else tab.removeAttribute('aria-current');
    }
    this.onShow();
  }

  countUnread(view, count) {
    this.#unread[view] = count;
    showBadge(byId(`${view}-badge`), count);
    const all = this.#unread.chat + this.#unread.notices;
    document.title = all > 0 ? `(${all}) Rolecall` : 'Rolecall';
  }
}

/** Keeps the page above a phone's keyboard, which on some covers it without telling the layout. */
function fitToKeyboard() {
  const { visualViewport } = window;
  if (!visualViewport) return;
  const fit = () => {
    const covered = visualViewport.scale === 1 && innerHeight - visualViewport.height > 80;
    document.documentElement.style.setProperty('--height', covered ? `${visualViewport.height}px` : '');
    if (covered) scrollTo(0, 0);
  };
  visualViewport.addEventListener('resize', fit);
  fit();
}
