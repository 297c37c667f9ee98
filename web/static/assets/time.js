// Times as the server tells them: RFC 3339 of messages, notices and people, Unix milliseconds of measurements. What
// cannot be read is NaN, and shows as nothing: one odd time must not take the page down.

/** Unix milliseconds, or NaN. */
export function timeOf(value) {
  if (value === null || value === undefined || value === '') return NaN;
  return new Date(value).getTime();
}

const shown = (value, format) => {
  const ms = timeOf(value);
  return Number.isNaN(ms) ? '' : format(new Date(ms));
};

export const clock = (value) => shown(value, (date) => date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));

export const day = (value) => shown(value, (date) => date.toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long' }));

/** When it was: the time of day, with the date where that is not today. */
export function moment(value, now = Date.now()) {
  const today = day(value) === day(now);
  return [today ? '' : shown(value, (date) => date.toLocaleDateString([], { day: 'numeric', month: 'short' })), clock(value)]
    .filter(Boolean).join(', ');
}

/** The time since, for a person: "now", "12 s", "5 min", "3 h", "2 d"; nothing where there is no time. */
export function age(value, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - timeOf(value)) / 1000));
  if (Number.isNaN(seconds)) return '';
  if (seconds < 2) return 'now';
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

/** "12 s ago", "just now", or nothing. */
export function ago(value, now = Date.now()) {
  const since = age(value, now);
  if (since === 'now') return 'just now';
  return since && `${since} ago`;
}
