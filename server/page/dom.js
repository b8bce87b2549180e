// Short functions that make elements. Text is always text, never markup.

export const find = (selector) => document.querySelector(selector);

export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value !== null) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// A button that is off keeps the focus, unlike a disabled one. Its handler must ask isOff().
export function setOff(button, off) {
  button.setAttribute("aria-disabled", String(off));
}

export const isOff = (button) => button.getAttribute("aria-disabled") === "true";

// Calls `call` when the button is pressed, unless it is off.
export function onPress(selector, call) {
  const button = find(selector);
  button.addEventListener("click", () => {
    if (!isOff(button)) {
      call();
    }
  });
}

const SIGNS = { good: "\u2713 ", bad: "\u2715 ", limited: "! " };

// tone: "good", "bad" or "limited".
export function verdictBadge(tone, words) {
  return make("span", { class: `verdict ${tone}` }, make("span", { "aria-hidden": "true" }, SIGNS[tone]), words);
}

// Keeps the sign and the digits of a negative amount on one line, and a duration with its unit.
export function unbroken(text) {
  return text.split(/(-\$[\d.]+|[\d.]+ ms\b)/)
    .map((each, index) => index % 2 === 1 ? make("span", { class: "amount-in-text" }, each) : each);
}
