// Is a queue keeping its own promises? One rule for all of them: how much of what is allowed has been spent.

/** From this share of an allowance on, a promise that still holds is at risk. */
export const AT_RISK_SHARE = 0.8;

/** Worst first: the order of trouble. */
export const LEVELS = ["breach", "at_risk", "ok", "quiet", "closed"];

const UNMARKED = { service_level: null, abandonment: null, queue_length: null, longest_wait: null };

function shareSpent(used, allowed) {
  if (used === null || allowed === null) {
    return null;
  }
  if (allowed <= 0) {
    return used > 0 ? Infinity : 0;
  }
  return used / allowed;
}

const missed = (ratio) => (ratio === null ? null : 1 - ratio);

/** A service level is allowed to miss 1 - target; those who wait past the target now can only put it at risk. */
function serviceLevelShare(row) {
  const { formula, target_ratio: target } = row.promise;
  const share = shareSpent(missed(row.service_level[formula]), missed(target));
  const live = shareSpent(missed(row.service_level.live), missed(target));
  return live === null ? share : Math.max(share ?? 0, Math.min(live, 1));
}

function levelOf(share) {
  if (share === null) {
    return null;
  }
  if (share > 1) {
    return "breach";
  }
  return share >= AT_RISK_SHARE ? "at_risk" : "ok";
}

/**
 * Judge a row by its own queue's promises.
 *
 * Returns the queue's level, a level (or null: nothing to judge) for each promise, and the names of the promises
 * that are broken or at risk, the worst first.
 */
export function judge(row) {
  const promise = row.promise;
  if (promise === null) {
    return { level: "quiet", marks: UNMARKED, troubles: [] };
  }
  if (!promise.open) {
    return { level: "closed", marks: UNMARKED, troubles: [] };
  }
  const shares = {
    service_level: serviceLevelShare(row),
    abandonment: shareSpent(row.abandonment_rate, promise.abandonment_ratio),
    queue_length: shareSpent(row.queue_length, promise.queue_length_limit),
    longest_wait: shareSpent(row.longest_wait_seconds, promise.longest_wait_limit_seconds),
  };
  const marks = Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, levelOf(share)]));
  const troubles = Object.keys(marks)
    .filter((name) => marks[name] === "breach" || marks[name] === "at_risk")
    .sort((a, b) => shares[b] - shares[a]);
  return { level: overall(row, marks, troubles), marks, troubles };
}

function overall(row, marks, troubles) {
  if (troubles.length > 0) {
    return marks[troubles[0]];
  }
  const silent = !row.queue_length && marks.service_level === null && marks.abandonment === null;
  return silent ? "quiet" : "ok";
}
