// The presentation mode for a lecture hall: large text, both pictures on one screen, and neither header nor switches.
// The key p and a button toggle it, Escape leaves it, and the address keeps it: ?present, or #present to begin with.

import { find } from "./dom.js";

const root = document.documentElement;
let onChange = () => {};

export function isPresenting() {
  return root.classList.contains("presenting");
}

function address(on) {
  const query = new URLSearchParams(location.search);
  query.delete("present");
  const kept = query.toString().replaceAll("%2C", ",");
  const all = [kept, on ? "present" : ""].filter(Boolean).join("&");
  return `/${all ? `?${all}` : ""}${location.hash === "#present" ? "" : location.hash}`;
}

function show(on) {
  root.classList.toggle("presenting", on);
  find("#present").setAttribute("aria-pressed", String(on));
  find("#present-end").hidden = !on;
  onChange();
}

// The button that was pressed may be hidden in the new state: then the focus goes to the one that is its opposite.
function set(on) {
  const focused = document.activeElement;
  show(on);
  history.replaceState(history.state, "", address(on));
  if (!focused?.checkVisibility()) {
    find(on ? "#present-end" : "#present").focus();
  }
}

function isTyping(target) {
  return target.closest?.("input:not([type=checkbox]), select, textarea, dialog[open], [contenteditable]") !== null;
}

function onKey(event, closeOther) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
    return;
  }
  if (event.key === "p" && !isTyping(event.target)) {
    set(!isPresenting());
  } else if (event.key === "Escape" && !closeOther() && isPresenting()) {
    set(false);
  }
}

function isAddressed() {
  return new URLSearchParams(location.search).has("present") || location.hash === "#present";
}

// closeOther() closes what Escape closes first, and returns whether there was something. changed() is called when the
// sizes have changed.
export function startPresentation(closeOther, changed) {
  onChange = changed;
  find("#present").addEventListener("click", () => set(!isPresenting()));
  find("#present-end").addEventListener("click", () => set(false));
  document.addEventListener("keydown", (event) => onKey(event, closeOther));
  addEventListener("hashchange", () => isAddressed() && set(true));
  addEventListener("popstate", () => show(isAddressed()));
  if (isAddressed()) {
    set(true);
  }
}
