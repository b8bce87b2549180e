// Draws all rounds of a run on one canvas: a thousand lanes as elements would be slow. A lane that went wrong has a
// wide mark at its left end, the others have a narrow one: the colour alone does not carry it.

import { axisTicks, axisUs, isRaced, laneGrid } from "./rounds_model.js";

const MARGIN = 16; // left of the axis: the round's mark, and the sign of the selected lane
const AXIS_HEIGHT = 22;
const TICK_APART = 64;

// The colours of the legend, as the browser computes them for the theme.
function colours(legend) {
  const of = (name) => getComputedStyle(legend.querySelector(`.${name} i`)).color;
  const names = ["wrong", "fine", "read", "check", "write", "window"];
  return { ...Object.fromEntries(names.map((name) => [name, of(name)])), text: getComputedStyle(legend).color };
}

function drawAxis(context, grid, lengthUs, column, colour) {
  const left = column * grid.columnWidth + MARGIN;
  const width = grid.columnWidth - MARGIN - 12;
  const ticks = axisTicks(lengthUs, Math.max(2, width / TICK_APART));
  ticks.forEach((ms, index) => {
    const x = left + width * ms * 1000 / lengthUs;
    context.fillStyle = colour.window;
    context.fillRect(Math.round(x), AXIS_HEIGHT - 4, 1, grid.rows * grid.laneHeight + 4);
    context.fillStyle = colour.text;
    context.textAlign = index === 0 ? "left" : "center";
    context.fillText(index === ticks.length - 1 ? `${ms} ms` : String(ms), index === 0 ? left : x, AXIS_HEIGHT - 7);
  });
}

function drawTransfer(context, { marks }, place, top, height, colour, raced) {
  const first = marks.find(({ kind }) => kind === "read");
  const last = marks.findLast(({ kind }) => kind === "write");
  if (first && last && last.us > first.us) {
    context.fillStyle = raced && last.bad ? colour.wrong : colour.window;
    context.fillRect(place(first.us), top + height / 2 - 0.5, place(last.us) - place(first.us), 1);
  }
  for (const { kind, us, bad } of marks) {
    const width = kind === "check" ? 1.5 : 2.5;
    context.fillStyle = bad ? colour.wrong : colour[kind];
    context.fillRect(place(us) - width / 2, top, bad ? width + 1.5 : width, height);
  }
}

function isLonger({ transfers }, lengthUs) {
  return transfers.some(({ marks }) => marks.some(({ us }) => us > lengthUs));
}

function drawLane(context, round, left, top, grid, lengthUs, colour) {
  const height = grid.laneHeight - (grid.laneHeight > 4 ? 2 : 1);
  const bad = isRaced(round);
  context.fillStyle = bad ? colour.wrong : colour.fine;
  context.fillRect(left + 4, top, bad ? 7 : 2.5, height);
  if (round.transfers === null) {
    context.fillStyle = colour.window; // its steps are not known
    context.fillRect(left + MARGIN, top + height / 2 - 0.5, grid.columnWidth - MARGIN - 12, 1);
    return;
  }
  const width = grid.columnWidth - MARGIN - 12;
  const place = (us) => left + MARGIN + Math.min(width, width * us / lengthUs);
  if (isLonger(round, lengthUs) && grid.laneHeight > 4) {
    context.fillStyle = colour.text;
    context.textAlign = "right";
    context.fillText("\u00bb", left + MARGIN + width + 11, top + height - 2); // it goes on behind the axis
  }
  const share = height / round.transfers.length;
  const own = share >= 4 ? share - 1 : share;
  round.transfers.forEach((transfer, index) =>
    drawTransfer(context, transfer, place, top + index * share, Math.max(1, own), colour, bad));
}

// rounds: in the order of the lanes. selected: the number of a lane, or -1. Returns the grid of the lanes.
export function drawRounds(canvas, legend, rounds, selected) {
  const width = Math.max(120, canvas.parentElement.clientWidth);
  const grid = laneGrid(rounds.length, width);
  const height = AXIS_HEIGHT + grid.rows * grid.laneHeight + 4;
  const scale = Math.min(2, window.devicePixelRatio || 1);
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const colour = colours(legend);
  const lengthUs = axisUs(rounds);
  for (let column = 0; column < grid.columns; column++) {
    drawAxis(context, grid, lengthUs, column, colour);
  }
  rounds.forEach((round, index) => {
    const left = Math.floor(index / grid.rows) * grid.columnWidth;
    const top = AXIS_HEIGHT + index % grid.rows * grid.laneHeight;
    drawLane(context, round, left, top, grid, lengthUs, colour);
    if (index === selected) {
      context.strokeStyle = colour.read;
      context.lineWidth = 2;
      context.strokeRect(left + 1, top - 1, grid.columnWidth - 10, grid.laneHeight);
    }
  });
  return grid;
}

// The number of the lane at a place of the canvas, or -1.
export function laneAt(grid, count, x, y) {
  const column = Math.floor(x / grid.columnWidth);
  const row = Math.floor((y - AXIS_HEIGHT) / grid.laneHeight);
  const index = column * grid.rows + row;
  return row >= 0 && row < grid.rows && column >= 0 && column < grid.columns && index < count ? index : -1;
}

// The upper and lower edge of a lane.
export function laneEdges(grid, index) {
  const top = AXIS_HEIGHT + index % grid.rows * grid.laneHeight;
  return { top, bottom: top + grid.laneHeight };
}
