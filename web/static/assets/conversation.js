// One conversation: its messages in order, what is missing, what waits to be sent. No page, no network.

import { isLater } from './changes.js';

const keepAtMost = 1000; // messages held; beyond it the oldest half is let go and can be fetched again

export class Conversation {
  kind; // 'direct', 'group' or 'open', as the server says when the room is joined
  peer; // the other person's id, in a direct room
  name; // of a group, or of the other person where the list of conversations knows it
  members; // ids of those of a direct room or group
  messages = []; // by rising seq, each seq once
  pending = []; // { clientId, text, at, arrived?, problem? } in the order written
  typing = new Map(); // userId → { username, until }
  readUpTo = new Map(); // userId → seq
  unread = 0;
  countedTo = 0; // the seq up to which the server has counted what is unread
  preview; // the last message as the list of conversations had it
  joined = false;
  begun = false; // whether its newest messages have been read once
  noOlder = false;
  newestKnown = 0; // the highest seq that the server has mentioned
  lastReadSent = 0;

  constructor(id) { this.id = id; }

  get lastMessage() {
    const last = this.messages.at(-1);
    return last && !(this.preview && isLater(this.preview, last)) ? last : this.preview;
  }

  get lastSeq() { return this.messages.at(-1)?.seq ?? 0; }

  get hasOlder() { return !this.noOlder && (this.messages[0]?.seq ?? 1) > 1; }

  /** Puts messages in their places, in that of what they were before, and returns those that were new. */
  add(messages) {
    const fresh = [];
    for (const message of messages) {
      let index = this.messages.length;
      while (index > 0 && this.messages[index - 1].seq > message.seq) index -= 1;
      if (this.messages[index - 1]?.seq === message.seq) {
        if (isLater(message, this.messages[index - 1])) this.messages[index - 1] = message;
        continue;
      }
      this.messages.splice(index, 0, message);
      fresh.push(message);
    }
    this.newestKnown = Math.max(this.newestKnown, this.lastSeq);
    return fresh;
  }

  /** Has a message, and the replies that quote it, be what they have become by a change. */
  change({ messageId, revision }, change) {
    const become = (message) => {
      if (message.id === messageId && revision > (message.revision ?? 0)) return { ...change.message(message), revision };
      return message.quoted?.messageId === messageId ? { ...message, quoted: change.quote(message.quoted) } : message;
    };
    this.messages = this.messages.map(become);
    if (this.preview) this.preview = become(this.preview);
  }

  /** Lets old messages go when there are very many. */
  trim() {
    if (this.messages.length <= keepAtMost) return;
    this.messages.splice(0, this.messages.length - keepAtMost / 2);
    this.noOlder = false;
  }

  /** The seq after which a message is missing (seq rises by one, without a gap), or null when nothing is. */
  missingAfter() {
    for (let index = 1; index < this.messages.length; index += 1) {
      if (this.messages[index].seq !== this.messages[index - 1].seq + 1) return this.messages[index - 1].seq;
    }
    return this.messages.length > 0 && this.newestKnown > this.lastSeq ? this.lastSeq : null;
  }

  /** Forgets what was said, of a room that has begun anew. */
  clear() {
    Object.assign(this, { messages: [], noOlder: false, newestKnown: 0, lastReadSent: 0, unread: 0, begun: false, countedTo: 0, preview: undefined });
    this.readUpTo.clear();
  }

  /** The user's own message came in before its acknowledgement: the waiting copy need not be shown any more. */
  markArrived({ clientId, text }) {
    const isIt = clientId === undefined ? (entry) => entry.text.trim() === text : (entry) => entry.clientId === clientId;
    const waiting = this.pending.find((entry) => !entry.arrived && !entry.problem && isIt(entry));
    if (waiting) waiting.arrived = true;
  }

  /** How many others have read up to a seq. */
  readers(seq, userId) {
    let count = 0;
    for (const [reader, upTo] of this.readUpTo) if (reader !== userId && upTo >= seq) count += 1;
    return count;
  }

  typists(now) { return [...this.typing.values()].filter(({ until }) => until > now).map(({ username }) => username); }
}
