// Chat without its looks: conversations kept in step with the server, and messages sent exactly once.

import { wait, randomId } from './dom.js';
import { edited, deleted, reacted } from './changes.js';
import { Conversation } from './conversation.js';
import { Drafts } from './drafts.js';

const historyPage = 50;
const typingShownMs = 6000;
const mostListed = 20; // pages of the list of conversations
const mostNamed = 3; // members of a group in its title

export class Chat {
  conversations = new Map();
  active = null;
  isVisible = () => false; // set by the view: whether the active conversation can be seen
  onHeard = () => {}; // set by the view: hears what others have just said
  #connection;
  #me;
  #changed;
  #onUnread;
  #onProblem;
  #drafts;

  /** `onUnread` hears the number of unread messages; `onProblem` a sentence for the user. */
  constructor({ connection, me, onUnread, onProblem }) {
    this.#connection = connection;
    this.#me = me;
    this.#changed = () => {};
    this.#onUnread = onUnread;
    this.#onProblem = onProblem;
    this.#drafts = new Drafts(me.userId);
    connection.on('connect', () => this.#resume());
    connection.on('disconnect', () => { for (const talk of this.conversations.values()) talk.joined = false; });
    connection.on('chat:message', (message) => this.#receive(message));
    connection.on('chat:edited', (event) => this.#change(event, edited(event)));
    connection.on('chat:deleted', (event) => this.#change(event, deleted(event)));
    connection.on('chat:reaction', (event) => this.#change(event, reacted(event)));
    connection.on('room:history', ({ roomId, messages }) => this.#learn(roomId, messages));
    connection.on('chat:typing', (event) => this.#showTyping(event));
    connection.on('chat:read', ({ roomId, userId, seq }) => this.#noteRead(roomId, userId, seq));
    connection.on('rooms:list', (list) => this.#list(list));
    connection.on('room:added', ({ room }) => this.#list({ rooms: [room] }));
    connection.on('room:updated', (event) => this.#update(event));
    connection.on('room:removed', ({ roomId }) => this.#removed(roomId));
    for (const id of this.#drafts.rooms()) this.#talk(id).wanted = true;
    for (const [id, entries] of this.#drafts.unsent()) Object.assign(this.#talk(id), { wanted: true, pending: entries });
  }

  onChange(listener) { this.#changed = listener; }

  /** What is written in a conversation and not sent yet; it outlives a reload. */
  draftOf(talk) { return this.#drafts.text(talk.id); }

  keepDraft(talk, text) { this.#drafts.keepText(talk.id, text); }

  /** Joins a room and returns its conversation, whose id is the one that the server knows it by; nothing if it may not be. */
  async enter(roomId, onProblem = this.#onProblem) {
    try {
      const ack = await this.#connection.call('room:join', { roomId, limit: historyPage });
      const talk = this.#talk(ack.roomId);
      this.#noteJoined(talk, ack);
      return talk;
    } catch (error) {
      onProblem(error.message);
      return undefined;
    }
  }

  /** Makes a group and returns its id. */
  async createGroup(name, members, clientId) {
    const { roomId } = await this.#connection.call('room:create', { name, members, clientId });
    Object.assign(this.#talk(roomId), { kind: 'group', name });
    return roomId;
  }

  /** The conversation with a person, if there is one yet. */
  with(userId) { return [...this.conversations.values()].find(({ peer }) => peer === userId); }

  /** Shows a conversation, and joins its room if it is not joined. */
  open(roomId) {
    const talk = this.#talk(roomId);
    talk.wanted = true;
    this.active = talk;
    this.#drafts.keepRooms(this.conversations);
    if (!talk.joined && this.#connection.connected) this.#join(talk);
    this.seen();
    this.#changed();
  }

  close() {
    this.active = null;
    this.#changed();
  }

  /** Leaves an open room, which can be entered again, or a group, for good. */
  async leave(talk) {
    talk.leaving = true;
    try {
      if (talk.kind === 'group') await this.#connection.call('room:remove', { roomId: talk.id, members: [this.#me.userId] });
      else await this.#connection.call('room:leave', { roomId: talk.id });
    } catch (error) {
      if (talk.kind === 'group' || error.code !== 'offline') this.#onProblem(error.message);
      talk.leaving = false;
      if (talk.kind === 'group') return; // still a member
    }
    if (this.conversations.has(talk.id)) this.#drop(talk);
  }

  send(text) {
    const talk = this.active;
    talk.pending.push({ clientId: randomId(), text, at: Date.now() });
    this.#drafts.keepUnsent(this.conversations);
    this.#changed();
    this.#deliver(talk);
  }

  retry(talk, entry) {
    entry.problem = undefined;
    this.#deliver(talk);
    this.#changed();
  }

  discard(talk, entry) {
    talk.pending = talk.pending.filter((other) => other !== entry);
    this.#drafts.keepUnsent(this.conversations);
    this.#changed();
  }

  typing(isTyping) { this.#connection.hint('chat:typing', { roomId: this.active.id, isTyping }); }

  async loadOlder(talk) {
    const before = talk.messages[0]?.seq;
    if (!before) return;
    try {
      const { messages } = await this.#connection.call('chat:history', { roomId: talk.id, before, limit: historyPage });
      this.#noteReaders(talk, messages);
      if (talk.add(messages).length === 0) talk.noOlder = true;
    } catch (error) {
      this.#onProblem(error.message);
    }
    this.#changed();
  }

  /** Tells the server how far the user has read, if they can see the conversation. */
  seen() {
    const talk = this.active;
    if (!talk || !this.isVisible() || document.visibilityState !== 'visible') return;
    if (talk.unread > 0) {
      talk.unread = 0;
      this.#countUnread();
    }
    const last = talk.messages.findLast(({ userId }) => userId !== this.#me.userId);
    if (!last || last.seq <= talk.lastReadSent || !this.#connection.connected) return;
    talk.lastReadSent = last.seq;
    this.#connection.call('chat:read', { roomId: talk.id, messageId: last.id })
      .catch(() => { talk.lastReadSent = 0; }); // told again when the next message is seen
  }

  #talk(roomId) {
    if (!this.conversations.has(roomId)) this.conversations.set(roomId, new Conversation(roomId));
    return this.conversations.get(roomId);
  }

  async #resume() {
    for (const talk of this.conversations.values()) {
      if (talk.wanted) await this.#join(talk);
    }
  }

  async #join(talk) {
    const request = talk.begun && talk.lastSeq ? { roomId: talk.id, after: talk.lastSeq, limit: historyPage } : { roomId: talk.id, limit: historyPage };
    try {
      this.#noteJoined(talk, await this.#connection.call('room:join', request));
      if (request.after) this.#renew(talk, request.after);
    } catch (error) {
      if (error.code === 'offline') return; // the next connection joins again
      if (error.code === 'rate_limited' || error.code === 'unavailable') {
        await wait(error.retryAfterMs ?? 2000);
        if (this.#connection.connected && !talk.joined) await this.#join(talk);
        return;
      }
      if (!talk.wanted) return; // nobody has asked for it
      this.#onProblem(error.message);
      this.#drop(talk);
    }
  }

  /** Asks what has become meanwhile of the messages up to a seq; they stay as they are until the server can say. */
  async #renew(talk, seq) {
    try {
      talk.add((await this.#connection.call('chat:history', { roomId: talk.id, before: seq + 1, limit: historyPage })).messages);
      this.#changed();
    } catch (error) {
      if (error.code === 'rate_limited') setTimeout(() => this.#renew(talk, seq), error.retryAfterMs ?? 1000);
    }
  }

  /** Takes what the server tells on connection of the user's conversations, and asks for the rest. */
  async #list({ rooms, nextCursor }) {
    try {
      for (let pages = 1; ; pages += 1) {
        for (const room of rooms) this.#noteListed(room);
        this.seen();
        this.#countUnread();
        this.#changed();
        if (!nextCursor || pages === mostListed) return;
        ({ rooms, nextCursor } = await this.#connection.call('rooms:list', { cursor: nextCursor }));
      }
    } catch (error) {
      if (error.code !== 'offline') this.#onProblem(error.message); // the next connection tells it again
    }
  }

  #noteListed({ roomId, kind, peer, name, members, lastMessage, lastSeq, unread }) {
    const talk = this.#talk(roomId);
    Object.assign(talk, { kind, peer, name: name ?? talk.name, members: members ?? talk.members, unread, countedTo: lastSeq, preview: lastMessage });
  }

  /** Asks what kind of room has been heard of. */
  async #identify(talk) {
    if (talk.identifying) return;
    talk.identifying = true;
    await this.#join(talk);
    talk.identifying = false;
  }

  #noteJoined(talk, { kind, peer, name, members, lastSeq, reset }) {
    Object.assign(talk, { kind, peer, name: name ?? talk.name, members, joined: true, begun: true });
    if (reset) { // the server has less than this page has seen: it was put back to an older state
      talk.clear();
      this.#join(talk);
      return;
    }
    talk.newestKnown = Math.max(talk.newestKnown, lastSeq);
    this.#fillGaps(talk);
    this.#deliver(talk);
    this.#changed();
  }

  #receive(message) {
    const talk = this.#talk(message.roomId);
    const mine = message.userId === this.#me.userId;
    if (mine && !message.kind) talk.markArrived(message);
    talk.typing.delete(message.userId);
    if (talk.add([message]).length === 0) return;
    this.#noteReaders(talk, [message]);
    talk.trim();
    if (!mine && message.kind !== 'system') {
      if (message.seq > talk.countedTo) talk.unread += 1;
      this.onHeard(message);
    }
    if (talk.kind) this.#fillGaps(talk);
    else this.#identify(talk);
    this.seen();
    this.#countUnread();
    this.#changed();
  }

  #change(event, change) {
    this.conversations.get(event.roomId)?.change(event, change);
    this.#changed();
  }

  #learn(roomId, messages) {
    const talk = this.#talk(roomId);
    const fresh = talk.add(messages);
    this.#noteReaders(talk, messages);
    if (talk.begun) talk.unread += fresh.filter(({ userId, kind, seq }) => userId !== this.#me.userId && kind !== 'system' && seq > talk.countedTo).length;
    this.#fillGaps(talk);
    this.seen();
    this.#countUnread();
    this.#changed();
  }

  async #fillGaps(talk) {
    if (talk.filling) return;
    talk.filling = true;
    try {
      for (let after = talk.missingAfter(); after !== null; after = talk.missingAfter()) {
        const { messages } = await this.#connection.call('chat:history', { roomId: talk.id, after, limit: historyPage });
        if (talk.add(messages).length === 0) break;
        this.#changed();
      }
    } catch (error) {
      if (error.code === 'rate_limited') setTimeout(() => this.#fillGaps(talk), error.retryAfterMs ?? 1000);
    } finally {
      talk.filling = false;
    }
  }

  /** Sends what waits, one after the other, so that order is kept; a repeat carries the same clientId. */
  async #deliver(talk) {
    if (talk.delivering) return;
    talk.delivering = true;
    for (let entry = nextOf(talk); entry && this.#connection.connected; entry = nextOf(talk)) {
      const { clientId, text } = entry;
      try {
        const ack = await this.#connection.call('chat:message', { roomId: talk.id, text, clientId });
        talk.pending = talk.pending.filter((other) => other !== entry);
        this.#drafts.keepUnsent(this.conversations);
        const { userId, username, role } = this.#me;
        talk.add([{ id: ack.messageId, roomId: talk.id, seq: ack.seq, userId, username, role, text, timestamp: ack.timestamp, readBy: [] }]);
      } catch (error) {
        if (['offline', 'rate_limited', 'unavailable'].includes(error.code)) await wait(error.retryAfterMs ?? 1000);
        else Object.assign(entry, { problem: error.message, arrived: false });
      }
      this.#changed();
    }
    talk.delivering = false;
  }

  #showTyping({ roomId, userId, username, isTyping }) {
    const talk = this.conversations.get(roomId);
    if (!talk || userId === this.#me.userId) return;
    if (isTyping) talk.typing.set(userId, { username, until: Date.now() + typingShownMs });
    else talk.typing.delete(userId);
    setTimeout(this.#changed, typingShownMs + 50);
    this.#changed();
  }

  #noteRead(roomId, userId, seq) {
    const talk = this.conversations.get(roomId);
    if (!talk) return;
    talk.readUpTo.set(userId, Math.max(seq, talk.readUpTo.get(userId) ?? 0));
    if (userId === this.#me.userId && seq >= (talk.lastMessage?.seq ?? 0)) { // read in another tab
      talk.unread = 0;
      this.#countUnread();
    }
    this.#changed();
  }

  #noteReaders(talk, messages) {
    for (const { seq, readBy } of messages) {
      for (const userId of readBy ?? []) talk.readUpTo.set(userId, Math.max(seq, talk.readUpTo.get(userId) ?? 0));
    }
  }

  #update({ roomId, name, added = [], removed = [] }) {
    const talk = this.conversations.get(roomId);
    if (!talk) return;
    talk.name = name ?? talk.name;
    talk.members = talk.members?.filter((userId) => !removed.includes(userId)).concat(added).sort();
    this.#changed();
  }

  #removed(roomId) {
    const talk = this.conversations.get(roomId);
    if (!talk) return;
    if (!talk.leaving) this.#onProblem(`You are no longer in ${talk.kind === 'group' ? 'a group' : `“${talk.id}”`}.`);
    this.#drop(talk);
  }

  #drop(talk) {
    this.conversations.delete(talk.id);
    if (this.active === talk) this.active = null;
    this.#drafts.keepRooms(this.conversations);
    this.#countUnread();
    this.#changed();
  }

  #countUnread() {
    let count = 0;
    for (const { unread } of this.conversations.values()) count += unread;
    this.#onUnread(count);
  }
}

const nextOf = (talk) => talk.pending.find(({ problem }) => !problem);

/** The name of a conversation for a person: the other's name, a group's name or its members', or an open room's id. */
export function titleOf(talk, people) {
  if (talk.peer !== undefined) {
    const name = people.nameOf(talk.peer);
    return name === talk.peer ? talk.name ?? name : name;
  }
  if (talk.name !== undefined || talk.kind !== 'group') return talk.name ?? talk.id;
  const others = (talk.members ?? []).filter((userId) => userId !== people.me.userId);
  const named = others.slice(0, mostNamed).map((userId) => people.nameOf(userId)).join(', ');
  if (others.length === 0) return 'Group';
  return others.length > mostNamed ? `${named} and ${others.length - mostNamed} more` : named;
}
