// Everything a scenario needs.
export { NODES, test } from './lib/engine.mjs';
export { SECRET, mint, nowSeconds, person, renew } from './lib/token.mjs';
export {
  DEADLINE, accepted, ask, assertFailure, heard, heardNames, nextEvent, nextEvents, nextOf, nextPresence, presencesHeard, refused,
  onEveryNode, settle, until,
} from './lib/events.mjs';
export { NO_LIMITS, assertProblem, startServer, stopAll, within } from './lib/server.mjs';
