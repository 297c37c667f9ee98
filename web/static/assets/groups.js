// The dialog that makes a group: a name, and people found by theirs.

import { byId, showProblem, randomId } from './dom.js';
import { Picker } from './picker.js';

/** `create` takes a name, the ids of people and an id of the attempt; it makes the group and shows it, or fails. */
export function offerGroups(people, create) {
  const dialog = byId('group-dialog');
  const submit = byId('group-form').querySelector('[type=submit]');
  let attempt = randomId(); // stays the same while the same group is tried again, so that it is made once
  const anew = () => { attempt = randomId(); };
  const picker = new Picker(people, 'group', anew);
  byId('group-name').oninput = anew;
  byId('group-new').onclick = () => {
    byId('group-name').value = '';
    picker.clear();
    anew();
    showProblem(byId('group-problem'), '');
    dialog.showModal();
  };
  byId('group-cancel').onclick = () => dialog.close();
  byId('group-form').onsubmit = async (event) => {
    event.preventDefault();
    if (picker.userIds.length === 0) {
      showProblem(byId('group-problem'), 'Choose who is to be in the group.');
      return;
    }
    submit.disabled = true;
    try {
      await create(byId('group-name').value.trim(), picker.userIds, attempt);
      dialog.close();
    } catch (error) {
      showProblem(byId('group-problem'), error.message);
    } finally {
      submit.disabled = false;
    }
  };
}
