// Files of messages: a picture where it is small, a link otherwise.

import { make } from './dom.js';

/** Shows the files of a message. Their addresses are good for a while; a node that shows them already is left alone. */
export function showFiles(node, attachments = []) {
  const shown = attachments.map(({ attachmentId }) => attachmentId).join(' ');
  node.hidden = attachments.length === 0;
  if ((node.dataset.shown ?? '') === shown) return;
  node.dataset.shown = shown;
  node.replaceChildren(...attachments.map(fileLink));
}

function fileLink({ fileName, url, thumbnail }) {
  const picture = thumbnail && make('img', {
    src: thumbnail.url, width: thumbnail.width, height: thumbnail.height, alt: fileName, loading: 'lazy',
  });
  return make('a', { class: 'file', href: url, target: '_blank', rel: 'noopener noreferrer', dir: 'auto' }, picture ?? fileName);
}
