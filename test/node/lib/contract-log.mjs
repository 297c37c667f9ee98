// Writes down what the server answers and sends, for test/contractlog to hold it against the contract afterwards.
import { appendFileSync } from 'node:fs';

const file = process.env.CONTRACT_LOG;

let isForeign = () => false;

/** Leaves out the events of these names, which others than the server send. */
export function leaveOut(predicate) { isForeign = predicate; }

/** @param {{ kind: 'event' | 'ack' | 'rest' }} entry */
export function note(entry) {
  if (file && !(entry.kind === 'event' && isForeign(entry.name))) appendFileSync(file, `${JSON.stringify(entry)}\n`);
}
