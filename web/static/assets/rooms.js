// The dialog that opens a public room, which nothing else on the page does.

import { byId, showProblem } from './dom.js';

/** `enter` takes a room's id and returns a sentence where the room cannot be entered. */
export function offerRooms(enter) {
  const dialog = byId('rooms-dialog');
  byId('rooms-open').hidden = false;
  byId('rooms-open').onclick = () => {
    byId('rooms-name').value = '';
    showProblem(byId('rooms-problem'), '');
    dialog.showModal();
  };
  byId('rooms-cancel').onclick = () => dialog.close();
  byId('rooms-form').onsubmit = async (event) => {
    event.preventDefault();
    const problem = await enter(byId('rooms-name').value.trim());
    showProblem(byId('rooms-problem'), problem);
    if (!problem) dialog.close();
  };
}
