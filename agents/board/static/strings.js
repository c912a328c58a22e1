// Every word the page shows, in one place. A language is one object of this shape.

const english = {
  language: "en",
  window: "Time window",
  sortByName: "A–Z: sort by name instead of by trouble",
  sortSign: "A–Z",
  toggleTheme: "Switch between light and dark",
  allQueues: "All queues",
  queues: "Queues",
  waiting: "Waiting",
  longestWait: "Longest wait",
  serviceLevel: "Service level",
  live: "Live",
  abandoned: "Abandoned",
  speedOfAnswer: "ASA",
  answeredOfOffered: "Answered",
  target: "Target",
  hints: {
    live: "Service level in which everybody who waits past the target already counts as missed",
    speedOfAnswer: "Average speed of answer",
    answeredOfOffered: "Answered of all offered",
  },
  agents: "Agents",
  today: "Today",
  dash: "–",
  levels: { breach: "Breach", at_risk: "At risk", ok: "OK", quiet: "Quiet", closed: "Closed" },
  promises: {
    service_level: "service level",
    abandonment: "abandonment",
    queue_length: "too many waiting",
    longest_wait: "longest wait",
  },
  formulas: {
    answered_of_offered: "answered in time, of all offered",
    answered_of_answered: "answered in time, of all answered",
    abandoned_in_target_met: "answered or abandoned in time, of all offered",
    abandoned_in_target_ignored: "answered in time, early abandons left out",
    short_abandoned_ignored: "answered in time, short abandons left out",
    left_missed: "answered in time, of all offered or gone elsewhere",
  },
  states: {
    available: "available",
    offered: "ringing",
    on_contact: "on contact",
    wrap_up: "wrap-up",
    break: "break",
    offline: "offline",
  },
  staffed: (count) => `${count} signed in`,
  of: (whole) => ` of ${whole}`,
  within: (ratio, time) => `${ratio} in ${time}`,
  last: (span) => `last ${span}`,
  more: (first, others) => `${first}, ${others} more`,
  connecting: "Connecting …",
  staleTitle: "Data is stale",
  staleDetail: (reason, age) => `${reason ?? "no fresh events"} · data is ${age} old · last known numbers below`,
  staleDetailUnknownAge: (reason) => `${reason ?? "no fresh events"} · last known numbers below`,
  lostTitle: "Connection lost",
  lostDetail: (age) => `nothing heard for ${age} · last known numbers below · reconnecting`,
  emptyTitle: "No contacts yet",
  emptyHint: "Is a source running? A simulated call center starts with",
  emptyCommand: "callwatch simulate",
  filteredTitle: "No contacts yet in the queues of this link",
  breachOf: (queue, why) => `${queue}: breach, ${why}`,
  breachesOf: (count, names) => `${count} queues in breach: ${names}`,
  titleOf: (breaches) => (breaches > 0 ? `(${breaches}) callwatch` : "callwatch"),
};

export const strings = english;

/** The browser's own variety of the page's language, for numbers and times: en-GB for a British reader. */
export const locale =
  navigator.languages.find((tag) => tag.split("-")[0] === strings.language) ?? strings.language;

/** Fill the words of static markup: data-text becomes the text, data-label the accessible name and tooltip. */
export function fillText(root) {
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = strings[element.dataset.text];
    element.title = strings.hints[element.dataset.text] ?? "";
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.ariaLabel = strings[element.dataset.label];
    element.title = strings[element.dataset.label];
  }
}
