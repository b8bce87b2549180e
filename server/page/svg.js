// Makes elements of SVG. Text is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

export function setAttributes(made, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, typeof value === "number" ? String(Math.round(value * 10) / 10) : value);
  }
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}
