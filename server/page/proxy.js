// The page of race-proxy: it asks for the units, the findings and the sessions each second, and draws the chosen
// finding or the last units.

import { find, make } from "./dom.js";
import { measureAt } from "./measure.js";
import { KINDS, findingModel, recentModel, rowSteps, rulesOf, rulesText } from "./proxy_model.js";
import { startThemeSwitch } from "./theme_switch.js";
import { layoutTimelines } from "./timeline.js";
import { drawTimeline } from "./timeline_svg.js";
import { count } from "./words.js";

const PAUSE_MS = 1000;
const UPRIGHT_BELOW_EM = 44;
const SMALL = 0.875;

const state = { chosen: null, finding: null, units: [], findings: "", rules: "", drawn: "" };

function showProblem(text) {
  find("#problem").hidden = text === "";
  find("#problem-text").textContent = text;
}

function showConnection(isLive) {
  find("#connection").dataset.state = isLive ? "live" : "reconnecting";
  const words = isLive ? "Live" : "The proxy does not answer";
  if (find("#connection-text").textContent !== words) {
    find("#connection-text").textContent = words;
  }
}

async function ask(path, body) {
  const answer = await fetch(path, body === undefined ? {} : { method: "POST", headers: { "Content-Type": "text/plain" }, body });
  const found = await answer.json();
  if (!answer.ok) {
    throw Object.assign(new Error(found.detail), { isRefusal: true });
  }
  return found;
}

// The picture

function layOut(model, width) {
  const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const ways = width < UPRIGHT_BELOW_EM * em ? [[SMALL * em, true]] : [[em, false], [SMALL * em, false]];
  let drawing = null;
  for (const [size, upright] of ways) {
    [drawing] = layoutTimelines([model], { em: size, measure: measureAt(size), upright, width: width - 2, nowUs: Date.now() * 1000 });
    if (drawing.width <= width) {
      break;
    }
  }
  return drawing;
}

function pictureTitle(model) {
  const lanes = model.lanes.map(({ letter, heading }) => `${letter}: ${heading.title}, ${heading.outcome}`);
  return `Timeline of ${count(lanes.length, "unit")}. ${lanes.join(". ")}. The list of statements has the same in words.`;
}

function showStatements(model) {
  find("#statement-list").replaceChildren(...model.lanes.map(({ letter, unit }) => make("article", {},
    make("h3", {}, `${letter}: session ${unit.session}, backend ${unit.backend_pid}`),
    make("ol", {}, ...unit.statements.map((statement) => make("li", { class: statement.found_read || statement.found_write ? "found" : null },
      make("code", {}, statement.sql || "(its text is not known)"), " ",
      make("span", { class: "answer" }, statement.sqlstate ? `ERROR ${statement.sqlstate}` : statement.tag ?? (statement.done_us ? "" : "runs"))))))));
}

function showRow(finding) {
  const steps = finding ? rowSteps(finding.units) : [];
  find("#row").hidden = steps.length === 0;
  if (steps.length > 0) {
    find("#row-title").textContent = `The row ${finding.table}${finding.row ? ` (${finding.row})` : ""}`;
    find("#row-steps").replaceChildren(...steps.map(({ us, text }) =>
      make("li", {}, `${((us - steps[0].us) / 1000).toFixed(1)} ms: ${text}`)));
  }
}

function draw() {
  const model = state.finding ? findingModel(state.finding) : recentModel(state.units);
  const width = find("#picture").parentElement.clientWidth - 2 * parseFloat(getComputedStyle(find("#picture").parentElement).paddingLeft);
  const key = JSON.stringify([width, state.finding, model?.lanes.map(({ unit }) => unit)]);
  if (key === state.drawn && model?.finished !== false) {
    return; // the focus stays where it is
  }
  state.drawn = key;
  find("#picture-title").textContent = state.finding ? `Finding ${state.finding.id}: ${KINDS[state.finding.kind] ?? state.finding.kind}` : "The last units of work";
  find("#sentence").textContent = state.finding?.sentence ?? "";
  find("#live").hidden = state.finding === null;
  find("#picture-none").hidden = model !== null;
  find("#picture-none").textContent = state.finding ? "The units of this finding are not kept any more." :
    "No statement has passed yet. Give the application the proxy's port in its DATABASE_URL.";
  find("#statements").hidden = model === null;
  const box = find("#picture");
  box.replaceChildren(...(model ? [drawTimeline(layOut(model, width), { name: "units", title: pictureTitle(model) })] : []));
  box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
  if (model) {
    showStatements(model);
  }
  showRow(state.finding);
}

// The findings

function badge(level) {
  const isBad = level === "proved" || level === "forced";
  return make("span", { class: `verdict ${isBad ? "bad" : level === "refuted" ? "good" : "running"}` },
    make("span", { "aria-hidden": "true" }, isBad ? "\u2715 " : level === "refuted" ? "\u2713 " : "? "), level);
}

function findingItem(each) {
  const row = each.row ? ` (${each.row})` : "";
  const button = make("button", { type: "button", "data-id": String(each.id), "aria-pressed": String(each.id === state.chosen) },
    badge(each.level), make("span", { class: "what" }, `${KINDS[each.kind] ?? each.kind} of ${each.table}${row}`),
    make("span", { class: "when" }, each.count > 1 ? `${each.count} times` : "once"), make("span", { class: "said" }, each.sentence));
  return make("li", {}, button);
}

function showFindings({ finds, findings }) {
  const key = JSON.stringify([findings, state.chosen]);
  find("#findings-none").hidden = findings.length > 0;
  find("#findings-none").textContent = finds ? "None yet." : "The proxy looks for races when it is started with --find.";
  if (key !== state.findings) {
    state.findings = key;
    const focused = document.activeElement?.dataset?.id;
    find("#findings").replaceChildren(...findings.map(findingItem));
    find(`#findings [data-id="${focused}"]`)?.focus({ preventScroll: true });
  }
}

async function choose(id) {
  state.chosen = id;
  for (const button of find("#findings").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.id) === id));
  }
  await turn();
}

// Rules and sessions

function showRules({ rules, limit_ms: limitMs }) {
  const key = JSON.stringify(rules);
  find("#limit").textContent = `Each hold ends after ${limitMs} ms at the latest.`;
  if (key === state.rules) {
    return; // a person may be typing
  }
  state.rules = key;
  const { force, waiters, other } = rulesOf(rules);
  find("#force").checked = force;
  find("#waiters").value = waiters ?? find("#waiters").value;
  find("#other").value = other.join("\n");
  find("#more").open ||= other.length > 0;
}

async function sendRules() {
  try {
    const rules = rulesText(find("#force").checked, Number(find("#waiters").value), find("#other").value);
    const found = await ask("/rules", rules);
    showProblem("");
    state.rules = "";
    showRules(found);
  } catch (problem) {
    showProblem(problem.isRefusal ? problem.message : "The proxy does not answer. Is it still running?");
  }
}

function showSessions({ sessions }) {
  const held = sessions.filter((each) => each.state === "held").length;
  const words = held === 0 ? "No session is held" : `${count(held, "session")} held`;
  find("#held").classList.toggle("some", held > 0);
  if (find("#held").textContent !== words) {
    find("#held").textContent = words;
  }
  const row = (each) => make("tr", {}, make("th", { scope: "row" }, String(each.number)), make("td", {}, each.state === "held" ? `held for ${each.held_ms} ms` : each.state),
    make("td", {}, each.transaction ?? ""), make("td", {}, each.database ?? ""), make("td", {}, String(each.backend_pid)));
  find("#sessions").replaceChildren(...(sessions.length > 0 ? sessions.map(row) : [make("tr", {}, make("td", { colspan: "5" }, "None is open."))]));
}

// One turn: asks for everything, and shows it.
async function turn() {
  const chosen = state.chosen;
  try {
    const [units, findings, sessions, rules] = await Promise.all([ask("/units"), ask("/findings"), ask("/sessions"), ask("/rules")]);
    const finding = chosen === null ? null : await ask(`/findings/${chosen}`);
    if (chosen !== state.chosen) {
      return; // another finding was chosen meanwhile
    }
    Object.assign(state, { units: units.units, finding });
    showConnection(true);
    showFindings(findings);
    showSessions(sessions);
    showRules(rules);
    draw();
  } catch (problem) {
    showConnection(false);
    state.chosen = problem.isRefusal ? null : state.chosen; // another proxy has no such finding
  }
}

async function repeat() {
  if (!document.hidden) {
    await turn();
  }
  setTimeout(repeat, PAUSE_MS);
}

find("#findings").addEventListener("click", (event) => {
  const id = event.target.closest("button")?.dataset.id;
  if (id !== undefined) {
    void choose(Number(id));
  }
});
find("#live").addEventListener("click", () => {
  void choose(null);
  find("#picture-title").focus({ preventScroll: true });
});
find("#force").addEventListener("change", () => void sendRules());
find("#waiters").addEventListener("change", () => void (find("#force").checked && sendRules()));
find("#rules").addEventListener("submit", (event) => {
  event.preventDefault();
  void sendRules();
});
find("#gate").addEventListener("click", () => void ask("/gate", "").then(turn, () => showConnection(false)));
new ResizeObserver(draw).observe(find("main"));
startThemeSwitch();
void repeat();
