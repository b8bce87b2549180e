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

// Keeps the sign and the digits of a negative amount on one line.
export function unbroken(text) {
  return text.split(/(\u2212\$[\d.]+)/)
    .map((each, index) => index % 2 === 1 ? make("span", { class: "amount-in-text" }, each) : each);
}
