// What becomes of a message: pure functions from one as it was to one as it is.

const quotedCharacters = 200; // code points of a message in a quote of it

/** Tells a change that the server has told of a message: { message } is what becomes of it, { quote } of its quotes in replies. */
export const edited = ({ text, editedAt }) => ({
  message: (message) => ({ ...message, text, editedAt }),
  quote: (quote) => ({ ...quote, text: [...text].slice(0, quotedCharacters).join('') }),
});

/** Nothing is left of a deleted message but its place. */
export const deleted = ({ deletedAt }) => ({
  message: ({ reactions, quoted, editedAt, attachment, attachments, ...place }) => ({ ...place, text: '', deleted: true, deletedAt }),
  quote: (quote) => ({ ...quote, text: '', deleted: true }),
});

export const reacted = ({ emoji, count }) => ({
  message: (message) => ({ ...message, reactions: counted(message.reactions ?? [], emoji, count) }),
  quote: (quote) => quote,
});

function counted(reactions, emoji, count) {
  if (count === 0) return reactions.filter((reaction) => reaction.emoji !== emoji);
  if (!reactions.some((reaction) => reaction.emoji === emoji)) return [...reactions, { emoji, count }];
  return reactions.map((reaction) => (reaction.emoji === emoji ? { ...reaction, count } : reaction));
}

/** Whether a message is a later one than another, or the same as it has become later. */
export const isLater = (message, than) => message.seq > than.seq || (message.seq === than.seq && (message.revision ?? 0) > (than.revision ?? 0));

/** What is shown of a message, or of a quote of it, as text. */
export const shownText = ({ text, deleted: gone }) => (gone ? 'Message deleted' : text);
