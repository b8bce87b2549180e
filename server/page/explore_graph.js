// Draws the conflict graph: the sessions, and an arrow from each one that must come before another. The arrows of the
// cycle are red and thick, and the list below says each of them in words.

import { make } from "./dom.js";
import { edgeLabel, edgeText, shorten } from "./explore_words.js";
import { element } from "./svg.js";

const WIDTH_MAX_EM = 44;
const RADIUS_EM = 1.5;

// The places of the sessions: two beside each other, more on a circle.
function placesOf(sessions, width, height, em) {
  const middle = { x: width / 2, y: height / 2 };
  const spread = { x: width / 2 - 2.5 * em, y: height / 2 - 2.2 * em };
  const turn = sessions.length === 2 ? Math.PI : -Math.PI / 2;
  return new Map(sessions.map((name, index) => {
    const angle = turn + index * 2 * Math.PI / sessions.length;
    return [name, { x: middle.x + spread.x * Math.cos(angle), y: middle.y + spread.y * Math.sin(angle) }];
  }));
}

// A curve between two places that leaves room for others between them; `level` 1, 2, ... bends it further out.
function curveOf(from, to, level, em) {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const side = { x: -(to.y - from.y) / length, y: (to.x - from.x) / length };
  const bend = -(0.6 + level * 2.2) * em;
  const middle = { x: (from.x + to.x) / 2 + side.x * bend * 2, y: (from.y + to.y) / 2 + side.y * bend * 2 };
  const cut = (end) => {
    const away = Math.hypot(middle.x - end.x, middle.y - end.y) || 1;
    const share = (RADIUS_EM + 0.25) * em / away;
    return { x: end.x + (middle.x - end.x) * share, y: end.y + (middle.y - end.y) * share };
  };
  const [start, stop] = [cut(from), cut(to)];
  const label = { x: start.x / 4 + middle.x / 2 + stop.x / 4, y: start.y / 4 + middle.y / 2 + stop.y / 4 };
  return { path: `M${start.x.toFixed(1)} ${start.y.toFixed(1)}Q${middle.x.toFixed(1)} ${middle.y.toFixed(1)} ${stop.x.toFixed(1)} ${stop.y.toFixed(1)}`, label };
}

function arrowHead(name, className) {
  return element("marker", { id: name, viewBox: "0 0 10 10", refX: 8, refY: 5, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" },
    element("path", { d: "M0 0L10 5L0 10z", class: className }));
}

function svgText(at, className, words) {
  const made = element("text", { x: at.x, y: at.y, class: className, "text-anchor": "middle", dy: "0.35em" });
  made.textContent = words;
  return made;
}

function picture(graph, sessions, width, em, id) {
  const between = (from, to) => graph.edges.filter((edge) => edge.from === from && edge.to === to).length;
  const most = Math.max(...sessions.flatMap((from) => sessions.map((to) => between(from, to))));
  const isPair = sessions.length === 2;
  const height = isPair ? (5 + 2.2 * (between(...sessions) + between(...sessions.toReversed()))) * em : Math.max(20, 8 + 5 * most) * em;
  const places = placesOf(sessions, width, height, em);
  if (isPair) { // the arrows of one direction are above the places, the others below
    const y = (2.5 + 2.2 * between(...sessions)) * em;
    places.forEach((place) => { place.y = y; });
  }
  const room = Math.floor((isPair ? width - 8 * em : width / 3) / (0.55 * em));
  const levels = new Map();
  const drawn = [...graph.edges.entries()].sort(([, one], [, other]) => Number(other.in_cycle) - Number(one.in_cycle)).map(([index, edge]) => {
    const pair = JSON.stringify([edge.from, edge.to]);
    levels.set(pair, (levels.get(pair) ?? 0) + 1);
    const { path, label } = curveOf(places.get(edge.from), places.get(edge.to), levels.get(pair), em);
    return element("g", { class: edge.in_cycle ? "edge cycle" : "edge" },
      element("path", { d: path, "marker-end": `url(#${id}-${edge.in_cycle ? "cycle" : "plain"})` }),
      svgText(label, "edge-label", `${index + 1} ${shorten(edgeLabel(edge), Math.max(4, room - 3))}`));
  });
  const nodes = sessions.map((name) => element("g", { class: graph.cycle.includes(name) ? "node cycle" : "node" },
    element("circle", { cx: places.get(name).x, cy: places.get(name).y, r: RADIUS_EM * em }),
    svgText(places.get(name), "node-name", shorten(name, 6))));
  const title = element("title", { id: `${id}-picture-title` });
  title.textContent = "Conflict graph. The list below says the same in words.";
  return element("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": `${id}-picture-title`, "font-size": em },
    title, element("defs", {}, arrowHead(`${id}-cycle`, "head cycle"), arrowHead(`${id}-plain`, "head")), ...drawn.reverse(), ...nodes);
}

function listItem(edge) {
  return make("li", { class: edge.in_cycle ? "cycle" : null }, make("b", { class: "kind" }, edge.kind), " ", edgeText(edge),
    edge.in_cycle ? make("span", { class: "unseen" }, " This is part of the cycle.") : null);
}

// Draws the graph into a box of the given width. Without a graph the box is empty. id: unique in the page.
export function drawGraph(box, list, graph, id = "graph") {
  const edges = graph?.edges ?? [];
  const sessions = [...new Set(edges.flatMap(({ from, to }) => [from, to]))].sort();
  const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const width = Math.min(WIDTH_MAX_EM * em, box.clientWidth || WIDTH_MAX_EM * em);
  box.replaceChildren(...(edges.length === 0 ? [] : [picture({ ...graph, edges }, sessions, Math.floor(width), em, id)]));
  list.replaceChildren(...edges.map(listItem));
}
