// Comma-separated values, as RFC 4180 has them.

// A spreadsheet takes a text that begins so for a formula, and would run what somebody called a queue.
const FORMULA = /^[=+\-@\t\r]/;

function fieldOf(value) {
  if (value === null || value === undefined) {
    return "";
  }
  const text = typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Return rows of values as CSV; null is an empty field. */
export const csvOf = (rows) => rows.map((row) => `${row.map(fieldOf).join(",")}\r\n`).join("");
