// Writes down what the server answers and sends, for test/contractlog to hold it against the contract afterwards.
import { appendFileSync } from 'node:fs';

const file = process.env.CONTRACT_LOG;

/** @param {{ kind: 'event' | 'ack' | 'rest' }} entry */
export function note(entry) {
  if (file) appendFileSync(file, `${JSON.stringify(entry)}\n`);
}
