// Sentences and notices that show for a moment above everything else.

import { byId, make, randomId } from './dom.js';

const shownMs = 8000;
const most = () => (matchMedia('(max-width: 699px)').matches ? 2 : 4);

/** Shows parts under an id until its time is over, or until it is closed where it is to last. */
export function raiseToast(id, severity, parts, lasting) {
  const toast = make('div', { class: 'notice toast', 'data-severity': severity }, ...parts,
    make('button', { type: 'button', class: 'quiet icon close', 'aria-label': 'Close', onclick: () => closeToast(id) }, '×'));
  toast.dataset.id = id;
  const place = byId('toasts');
  while (place.children.length >= most()) place.firstChild.remove();
  place.append(toast);
  if (!lasting) setTimeout(() => closeToast(id), shownMs);
}

export function closeToast(id) {
  for (const toast of byId('toasts').children) if (toast.dataset.id === id) toast.remove();
}

/** Shows a sentence, such as why something failed. */
export function sayToast(sentence, severity = 'info') {
  raiseToast(randomId(), severity, [make('p', { class: 'text', dir: 'auto' }, sentence)], false);
}
