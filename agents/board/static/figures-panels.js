// The panels of the page of figures: each shows a part of one row of /api/v1/figures.

import { change, moneyOf, netPoints, number, ratio, roundRatio, score, time } from "./figures-format.js";
import { bar, element, fillFacts, fillTable, intervalTrack } from "./figures-parts.js";
import { words } from "./figures-words.js";
import { strings } from "./strings.js";

const byId = (id) => document.getElementById(id);
const POINTS = 100;

/** Show one row: of a queue and channel, of a channel, or of everything. */
export function showRow(row) {
  showHeadline(row);
  showTimes(row);
  showResolution(row.resolution);
  showBacklog(row);
  showSatisfaction(row.satisfaction);
  showWork(row);
  showQuality(row.quality);
  showValue(row);
}

function showHeadline({ volume, responses, resolution, satisfaction, backlog }) {
  const { csat, nps } = satisfaction;
  const figures = [
    [words.volume, number(volume.offered)],
    [words.firstResponse, time(responses.first_response_seconds?.p50)],
    [words.timeToResolution, time(resolution.time_to_resolution_seconds?.p50)],
    [words.firstContact, ratio(resolution.first_contact_ratio)],
    [words.resolvedRatio, ratio(resolution.resolved_ratio)],
    [words.csat, ratio(csat?.top_ratio)],
    [words.nps, netPoints(nps?.score)],
    [words.open, number(backlog.open), backlog.open !== null && backlog.goal !== null ? words.openOf(number(backlog.goal)) : ""],
  ];
  fillFacts(byId("headline"), figures);
  for (const figure of byId("headline").children) {
    figure.className = "figure";
  }
}

function showTimes({ responses, handling, resolution }) {
  const line = (word, of) => [word, time(of?.mean), time(of?.p50), time(of?.p90)];
  fillTable(byId("times"), ["", words.mean, words.half, words.nineOfTen], [
    line(words.firstResponse, responses.first_response_seconds),
    line(words.response, responses.response_seconds),
    line(words.timeToResolution, resolution.time_to_resolution_seconds),
    // Handle time has no percentiles by period: an empty cell, as nothing is missing there.
    [words.handleTime, time(handling.average_handle_time_seconds), "", ""],
    [words.ticketHandleTime, time(handling.ticket_handle_time_seconds), "", ""],
  ]);
}

function showResolution(resolution) {
  byId("first-contact-title").textContent = words.firstContact;
  byId("first-contact-title").title = words.hints.firstContact;
  const sides = [
    [words.provisional, resolution.first_contact_ratio, resolution.resolved, words.provisionalOf, "soft"],
    [words.final, resolution.first_contact_final_ratio, resolution.final, words.finalOf, ""],
  ];
  byId("first-contact").replaceChildren(...sides.map(([word, share, of, ofWords, kind]) => {
    const side = element("div", "", "side");
    side.append(element("b", ratio(share)), element("span", word, "kind"));
    if (share !== null && share !== undefined) {
      side.append(bar(share, kind), element("small", ofWords(number(of))));
    }
    return side;
  }));
  fillFacts(byId("resolution"), [
    [words.opened, number(resolution.opened)],
    [words.resolved, number(resolution.resolved), partOf(resolution.resolved_ratio)],
    [words.reopened, number(resolution.reopened)],
    [words.automated, number(resolution.automated), partOf(resolution.automated_ratio), words.hints.automated],
    [words.singleReply, ratio(resolution.single_reply_ratio)],
  ]);
}

/** A share behind the count that it belongs to; nothing where there is none. */
const partOf = (share) => (share === null || share === undefined ? "" : ` · ${ratio(share)}`);

function showBacklog({ backlog, repeat }) {
  const goal = backlog.open === null || backlog.goal === null ? "" : words.openOf(number(backlog.goal));
  fillFacts(byId("backlog"), [
    [words.open, number(backlog.open), goal],
    [words.age, time(backlog.p50_age_seconds)],
    [words.oldest, time(backlog.oldest_seconds)],
    [words.cameBackDay, ratio(repeat.day_ratio)],
    [words.cameBackWeek, ratio(repeat.week_ratio)],
    [words.severalAgents, ratio(repeat.several_agents_ratio), "", words.hints.severalAgents],
  ]);
}

const SHARE = [0, 1];

/** The surveys: word, what is drawn of it and between which ends, how it is written, its mean of how much. */
const SURVEYS = [
  ["csat", (told) => told.top_ratio, SHARE, ratio, roundRatio, 5],
  ["nps", (told) => told.score, [-POINTS, POINTS], netPoints, netPoints, null],
  ["ces", (told) => told.top_ratio, SHARE, ratio, roundRatio, 7],
  ["esat", (told) => told.top_ratio, SHARE, ratio, roundRatio, 5],
];

function showSatisfaction(satisfaction) {
  byId("satisfaction").replaceChildren(...SURVEYS
    .filter(([name]) => satisfaction[name] !== undefined)
    .map((survey) => surveyOf(survey, satisfaction[survey[0]])));
}

function surveyOf([name, of, ends, written, shortly, best], told) {
  const line = element("section", "", "survey");
  const value = told === null ? null : of(told);
  line.append(element("h3", words[name], "", { title: words.hints[name] }), element("b", written(value)));
  if (value === null || value === undefined) {
    return line;
  }
  const interval = told.interval ?? null;
  const said = interval === null ? written(value) : words.interval(shortly(interval[0]), shortly(interval[1]));
  line.append(intervalTrack(value, interval, ends, `${words[name]} ${written(value)}, ${said}`));
  const about = [
    interval === null ? "" : words.span(shortly(interval[0]), shortly(interval[1])),
    words.answers(number(told.answers)),
    told.response_ratio === null || told.response_ratio === undefined ? "" : words.answered(roundRatio(told.response_ratio)),
    best === null || told.mean === null || told.mean === undefined ? "" : words.meanOf(score(told.mean), best),
    told.from_one ? words.fromOne(number(told.from_one)) : "",
  ];
  line.append(element("small", about.filter(Boolean).join(" · ")));
  return line;
}

function showWork({ handling, bot, missed }) {
  fillFacts(byId("work"), [
    [words.handled, number(handling.handled)],
    [words.offeredToAgents, number(handling.offered_to_agents)],
    [words.declined, number(handling.declined), partOf(handling.decline_ratio)],
    [words.missed, number(missed)],
    [words.botContacts, number(bot?.contacts)],
    [words.handedOver, number(bot?.handed_over)],
    [words.leftAfterBot, number(bot?.left)],
  ]);
}

function showQuality(quality) {
  fillFacts(byId("quality"), [
    [words.reviews, number(quality.reviews)],
    [words.qualityMean, ratio(quality.mean_ratio)],
    [words.toStandard, ratio(quality.to_standard_ratio)],
    [words.spread, ratio(quality.spread), "", words.hints.spread],
  ]);
}

function showValue({ value, customers }) {
  const money = moneyOf(value.currency);
  fillFacts(byId("value"), [
    [words.orders, number(value.orders)],
    [words.revenue, money(value.revenue)],
    [words.converted, ratio(value.converted_ratio)],
    [words.cost, money(value.cost)],
    [words.costPerResolution, money(value.cost_per_resolution)],
    [words.costPerConversation, money(value.cost_per_conversation)],
  ]);
  // Customers are the company's, not a queue's.
  byId("customers-panel").hidden = customers === undefined || customers === null;
  if (customers) {
    fillFacts(byId("customers"), [
      [words.atStart, number(customers.at_start)],
      [words.joined, number(customers.joined)],
      [words.lost, number(customers.left)],
      [words.retention, ratio(customers.retention_ratio)],
      [words.churn, ratio(customers.churn_ratio)],
      [words.lifetimeValue, money(customers.lifetime_value), "", words.hints.lifetimeValue],
    ]);
  }
}

/** Show every row side by side: queues, channels, and all together; `whole` is the name of that. */
export function showQueues(rows, whole) {
  const columns = [
    [words.offered, (row) => number(row.volume.offered)],
    [words.share, (row) => ratio(row.volume.share)],
    [words.serviceLevel, (row) => ratio(row.waits.service_level.answered_of_offered)],
    [words.abandonment, (row) => ratio(row.waits.abandonment_rate)],
    [words.speedOfAnswer, (row) => time(row.waits.average_speed_of_answer_seconds)],
    [words.firstResponse, (row) => time(row.responses.first_response_seconds?.p50)],
    [words.handleTime, (row) => time(row.handling.average_handle_time_seconds)],
    [words.resolvedRatio, (row) => ratio(row.resolution.resolved_ratio)],
    [`${words.firstContact}, ${words.provisional}`, (row) => ratio(row.resolution.first_contact_ratio)],
    [words.final, (row) => ratio(row.resolution.first_contact_final_ratio)],
    [words.csat, (row) => ratio(row.satisfaction.csat?.top_ratio)],
    [words.costPerResolution, (row) => moneyOf(row.value.currency)(row.value.cost_per_resolution)],
  ];
  const lines = rows.map((row) => [nameOf(row, whole), ...columns.map(([, of]) => of(row))]);
  fillTable(byId("queues"), ["", ...columns.map(([word]) => word)], lines, (i) => rows[i].queue === null);
}

/** Show what share each channel has of what was offered, the largest first. */
export function showChannels(rows) {
  const own = rows.filter((row) => row.queue === null && row.channel !== null);
  own.sort((a, b) => (b.volume.offered ?? 0) - (a.volume.offered ?? 0));
  byId("channels").replaceChildren(...own.map(({ channel, volume: { offered, share } }) => {
    const line = element("li");
    const shown = element("b", number(offered));
    shown.append(element("small", partOf(share)));
    line.append(element("span", strings.channels[channel] ?? channel), shown, bar(share ?? 0));
    return line;
  }));
}

/** Return what a row is of: sales · voice, All queues · voice, All queues. */
const nameOf = ({ queue, channel }, whole) =>
  [queue ?? whole, strings.channels[channel] ?? channel].filter(Boolean).join(" · ");

/** Show an answer of /api/v1/subjects. */
export function showSubjects({ rows, other }, period) {
  byId("subjects-period").textContent = words.subjectPeriods[period];
  const most = Math.max(1, ...rows.map((row) => row.offered));
  const lines = rows.map((row) => [row.subject, row.offered, row.before, row.change, row.rising]);
  const others = other.offered > 0 ? [[words.others, other.offered, other.before, null, false]] : [];
  byId("subjects").replaceChildren(...[...lines, ...others].map(([subject, offered, before, rise, rising]) => {
    const line = element("li", "", rising ? "rising" : "");
    line.append(element("span", subject, "subject"), element("b", number(offered)));
    const was = rise === null || rise === undefined ? (rising ? words.fresh : "") : change(rise);
    line.append(element("small", [rising ? `▲ ${words.rising}` : "", was].filter(Boolean).join(" "), "change"));
    const track = bar(Math.min(1, offered / most));
    track.title = before === null || before === undefined ? "" : words.before(number(before));
    line.append(track);
    return line;
  }));
  byId("no-subjects").hidden = rows.length > 0;
}

/** Show the people of an answer of /api/v1/agents; `at` (epoch milliseconds) is when it was given. */
export function showPeople(people, at) {
  const columns = [words.agent, words.state, words.since, words.handled, words.closed, words.handleTime,
    words.concurrency, words.occupancy, words.utilisation, words.adherence, words.declined, words.qualityMean];
  const lines = people.map((person) => [
    person.agent_id,
    strings.states[person.state] ?? person.state ?? strings.dash,
    person.since ? time(Math.max(0, (at - Date.parse(person.since)) / 1000)) : strings.dash,
    number(person.handled),
    number(person.closed),
    time(person.average_handle_time_seconds),
    score(person.concurrency),
    ratio(person.occupancy),
    ratio(person.utilisation),
    ratio(person.adherence),
    number(person.declined),
    ratio(person.quality_mean),
  ]);
  fillTable(byId("people"), columns, lines);
  byId("no-people").hidden = people.length > 0;
  byId("people").hidden = people.length === 0;
}
