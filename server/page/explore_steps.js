// Draws an order as lanes, one for each session: the SQL of each step, its answer, and the waits. Then shows a position
// of it. The rows of the grid are the moments of the order, so the items of the list are in the order of time.

import { make } from "./dom.js";
import { errorOf, sessionAt, waits } from "./explore_order.js";
import { answersText, sqlText, stateText, waitText } from "./explore_words.js";

const LANES_MAX = 4; // more sessions stand below each other

// A step that waited has two items: the launch, and the answer further down.
function stepItem(order, { step, continues }, row) {
  const answer = answersText(step);
  const isAnswered = continues || step.until === step.from;
  const item = make("li", { class: `step${continues ? " continued" : ""}` },
    make("span", { class: "whose" }, order.sessions[step.session]),
    make("code", { class: "name" }, step.name),
    continues ? make("span", { class: "note" }, "continues") : make("code", { class: "sql" }, sqlText(step)),
    isAnswered || continues ? null : make("span", { class: "note waits" }, waitText(step, order.sessions)),
    isAnswered && answer !== "" ? make("span", { class: errorOf(step) ? "answer bad" : "answer" }, `\u2192 ${answer}`) : null);
  item.style.gridRow = String(row);
  item.style.setProperty("--lane", String(step.session + 1));
  return item;
}

// The bar between the launch of a step that waits and its answer.
function waitBar(order, step, rows) {
  const first = rows.findIndex((row) => row.step === step) + 2;
  const answered = rows.findIndex((row) => row.step === step && row.continues);
  const last = answered === -1 ? rows.length + 1 : answered + 1;
  if (step.until === step.from || last - first < 1) {
    return null;
  }
  const blocker = step.blockedBy.at(0) ?? step.session;
  const words = waitText(step, order.sessions);
  const bar = make("li", { class: "wait", "aria-hidden": "true" },
    make("span", {}, blocker < step.session ? `\u25c2 ${words}` : `${words} \u25b8`));
  bar.style.gridRow = `${first} / ${last}`;
  bar.style.setProperty("--lane", String(step.session + 1));
  return bar;
}

// Draws an order into an element. Returns {show(position), current()}: the latter is the item of the last step.
export function drawLanes(box, order) {
  const { sessions, rows } = order;
  const shape = sessions.length > LANES_MAX ? "list" : `lanes-${sessions.length}`;
  const chips = sessions.map(() => make("span", { class: "state" }));
  const heads = make("div", { class: "lane-heads" },
    ...sessions.map((name, index) => make("p", { class: "lane-head" }, make("b", {}, name), chips[index])));
  const items = rows.map((row, index) => stepItem(order, row, index + 1));
  const bars = order.steps.map((step) => ({ step, bar: waitBar(order, step, rows) })).filter(({ bar }) => bar !== null);
  const list = make("ol", { class: "lane-steps" }, ...items, ...bars.map(({ bar }) => bar));
  box.replaceChildren(make("div", { class: `lanes ${shape}` }, heads, list));

  return {
    show(position) {
      rows.forEach((row, index) => {
        items[index].classList.toggle("ahead", row.position > position);
        items[index].classList.toggle("now", row.position === position);
        if (row.position === position && !row.continues) {
          items[index].setAttribute("aria-current", "step");
        } else {
          items[index].removeAttribute("aria-current");
        }
      });
      for (const { step, bar } of bars) {
        bar.classList.toggle("ahead", !waits(step, position) && step.from > position);
        bar.classList.toggle("holds", waits(step, position));
      }
      chips.forEach((chip, index) => {
        const now = sessionAt(order, index, position);
        chip.textContent = stateText(now, sessions);
        chip.dataset.state = now.state;
      });
    },
    current() {
      return items.find((item) => item.classList.contains("now")) ?? null;
    },
  };
}
