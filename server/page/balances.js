// Shows the balances as large numbers, each with a bar through zero. All bars have one scale. While a race has a time
// cursor, they are the balances of its moment.

import { find, make } from "./dom.js";
import { money } from "./words.js";

const LEAST_BELOW = 800; // with this scale the bars of the lab's own scenario do not change their scale
const LEAST_ABOVE = 1400;

function roundUp(value) {
  const magnitude = 10 ** Math.floor(Math.log10(value));
  return Math.ceil(value / magnitude * 2) / 2 * magnitude;
}

export function scaleOf(accounts) {
  const balances = accounts.map(({ balance }) => balance);
  const below = Math.max(...balances.map((balance) => -balance), LEAST_BELOW);
  const above = Math.max(...balances, LEAST_ABOVE);
  return {
    below: below > LEAST_BELOW ? roundUp(below) : below,
    above: above > LEAST_ABOVE ? roundUp(above) : above,
  };
}

function card(id) {
  const made = make("li", { class: "balance", "data-account": id },
    make("h3", {}, id, make("span", { class: "when" })), make("p", { class: "amount" }), make("p", { class: "note" }),
    make("div", { class: "bar", "aria-hidden": "true" }, make("div", { class: "fill" }), make("div", { class: "zero" })));
  return made;
}

function fill(element, { balance }, { below, above }) {
  const negative = balance < 0;
  const amount = element.querySelector(".amount");
  element.classList.toggle("negative", negative);
  if (amount.textContent !== money(balance)) {
    amount.textContent = money(balance);
  }
  element.querySelector(".note").textContent = negative ? "overdrawn" : "";
  const percent = (value) => `${100 * value / (below + above)}%`;
  const bar = element.querySelector(".fill");
  bar.style.left = percent(below + Math.min(0, balance));
  bar.style.width = percent(Math.abs(balance));
  element.querySelector(".zero").style.left = percent(below);
}

// The words beside the name while there is a cursor: the moment, or that the race did not touch the account.
function showWhen(element, moment, isInRace) {
  element.classList.toggle("at-cursor", moment !== null && isInRace);
  element.classList.toggle("outside", moment !== null && !isInRace);
  element.querySelector(".when").textContent = moment === null ? "" : isInRace ? ` at ${moment.ms.toFixed(1)} ms` : " not in this race";
}

// The money of all accounts. A transfer moves money, so the sum must stay what it was: expected, or null if that is not
// known.
function fillTotal(element, accounts, expected) {
  const cents = (value) => Math.round(value * 100);
  const sum = accounts.reduce((whole, { balance }) => whole + cents(balance), 0);
  const made = expected === null ? 0 : (sum - cents(expected)) / 100;
  element.classList.toggle("wrong", made !== 0);
  element.querySelector(".amount").textContent = money(sum / 100);
  element.querySelector(".note").textContent = made === 0 ? ""
    : `${money(Math.abs(made))} ${made > 0 ? "came from nothing" : "is lost"}`;
  element.querySelector(".start").textContent = expected === null ? "" : `at the start ${money(expected)}`;
}

function totalCard() {
  return make("li", { class: "balance total" }, make("h3", {}, "all together"), make("p", { class: "amount" }),
    make("p", { class: "start" }), make("p", { class: "note" }));
}

// expected: the sum of the initial balances, or null. moment: {ms, balances} of the time cursor, or null.
export function showBalances(present, expected, moment = null) {
  const then = new Map(moment?.balances.map(({ id, balance }) => [id, balance]));
  const accounts = present.map(({ id, balance }) => ({ id, balance: then.get(id) ?? balance }));
  const list = find("#balances");
  const scale = scaleOf(accounts);
  const known = new Map([...list.children].map((each) => [each.dataset.account, each]));
  const cards = accounts.map((account) => {
    const element = known.get(account.id) ?? card(account.id);
    fill(element, account, scale);
    showWhen(element, moment, then.has(account.id));
    return element;
  });
  if (accounts.length > 1) {
    const total = list.querySelector(".total") ?? totalCard();
    fillTotal(total, accounts, moment === null ? expected : null); // in the middle of a transfer money is on its way
    cards.push(total);
  }
  if (cards.length !== list.children.length || cards.some((each, index) => each !== list.children[index])) {
    list.replaceChildren(...cards);
  }
}
