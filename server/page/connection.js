// Shows whether the page receives events.

import { find } from "./dom.js";

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  restarted: "Live again: the server was restarted",
  reconnecting: "Reconnecting: the server does not answer",
  stopping: "The server is stopping",
  slow: "This page was too slow to receive the events: reconnecting",
  refused: "The server has no place for another subscriber: trying again",
};
const RESTARTED_FOR_MS = 20000;

let timer = null;

export function showConnection(state) {
  clearTimeout(timer);
  const line = find("#connection");
  line.dataset.state = state;
  find("#connection-text").textContent = WORDS[state];
  if (state === "restarted") {
    timer = setTimeout(() => showConnection("live"), RESTARTED_FOR_MS);
  }
}
