// Lays races out as timelines: it places every lane, band, mark, label and line. All given races share one axis, so the
// same moment after the start stands at the same place in each picture. Pure: the caller passes a function that
// measures text, and timeline_svg.js draws the resulting numbers. "Along" is the direction of time, "across" is the
// other direction. In a lying picture time runs to the right and a lane is a row: the reads stand above its bar, the
// writes below it. In an upright picture (narrow screens) time runs from top to bottom and a lane is a column.

import { interpolate, placeMoments, tickWords, ticks } from "./axis.js";
import { layScale } from "./scale.js";
import { layoutRow, rowExtent, rowMoments, rowOfRace, rowRooms } from "./timeline_row.js";
import { OUTCOMES, missedLabel, shortMoney } from "./words.js";

// All in em of the page's root, so that the picture grows with the text around it.
const LYING = { edge: 0.6, label: 1.6, bar: 1.7, gap: 0.7, link: 1.8, ruler: 3.5, strip: 2.5, mark: 1.1, badge: 2.3, end: 1.6 };
const UPRIGHT = { edge: 0.8, line: 1.25, bar: 1.1, axis: 0.3, strip: 0, head: 4.6, text: 0.85, column: 6.2, scrolled: 9.2, mark: 1.3 };

const BRACKET = 0.28; // how far the bracket round a transaction stands out from the bar, in em

const NUDGE_MS = 0.001; // keeps two moments of one lane apart that have the same microsecond

function clock(model, us) {
  return (us - model.startUs) / 1000;
}

// Breaks a label so that no line is wider than `width`, as far as its words allow it.
export function wrap(label, width, measure) {
  const lines = [];
  for (const word of label.split(" ")) {
    const longer = lines.length > 0 ? `${lines.at(-1)} ${word}` : word;
    if (lines.length > 0 && measure(longer) <= width) {
      lines[lines.length - 1] = longer;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

// The pieces of every lane with their moments in ms. Each moment was rounded to a microsecond on its own, so this
// restores their order and gives no two marks of a lane the same moment.
//
// In a lying picture the begin of a transaction has its label in another row than the read that comes with it, so both
// may have the same moment.
function timed(model, nowUs, standing) {
  return model.lanes.map((lane) => {
    let over = 0;
    let marked = -1;
    return lane.pieces.map((piece) => {
      let to = Math.max(clock(model, piece.toUs ?? Math.max(nowUs, piece.fromUs)), over);
      if (piece.type === "mark") {
        to = Math.max(to, marked + NUDGE_MS);
        marked = piece.kind === "begin" && !standing ? marked : to;
      }
      const from = piece.type === "mark" ? to : Math.max(clock(model, piece.fromUs), over);
      over = to;
      return { ...piece, from, to };
    });
  });
}

function momentsOf(lanes) {
  return lanes.flat().flatMap((piece) => [piece.from, piece.to]);
}

function endOf(lanes) {
  return Math.max(0, ...momentsOf(lanes));
}

// The transactions of a lane as [from, to], in ms.
function transactionsOf(pieces) {
  const found = [];
  for (const { kind, from, to } of pieces) {
    if (kind === "begin") {
      found.push([from, pieces.at(-1).to]);
    } else if ((kind === "commit" || kind === "retry") && found.length > 0) {
      found.at(-1)[1] = Math.min(found.at(-1)[1], to);
    }
  }
  return found;
}

// The moment at which a stale reader is drawn: the mark of its read, which may be a little beside the record's time.
function readMoment(model, pieces, miss) {
  const ms = clock(model, miss.readUs);
  const own = pieces[model.lanes.findIndex(({ letter }) => letter === miss.reader)] ?? [];
  return own.find(({ type, side, from }) => type === "mark" && side === "saw" && Math.abs(from - ms) < 4 * NUDGE_MS)?.from ?? ms;
}

// Rows of labels at a lying lane, as distances from the bar. A credit stands one row deeper than the deduct before it,
// so that both need no more room along the axis than one of them.
const SAW = -1;
const DID = 1;
const DID_DEEPER = 2;

function rowOf(piece) {
  if (piece.side === "saw") {
    return SAW;
  }
  return piece.kind === "credit" ? DID_DEEPER : DID;
}

// Rooms: the lengths that must fit between two moments

function lyingRooms(pieces, at, { em, measure }) {
  const rooms = [];
  const marks = pieces.filter((piece) => piece.type === "mark");
  for (const height of [SAW, DID, DID_DEEPER]) {
    const row = marks.filter((piece) => rowOf(piece) === height);
    const lengths = row.map((piece) => measure(piece.label, piece.tone) + 1.3 * em);
    row.forEach((piece, index) => rooms.push({
      piece, from: at(piece.from), to: index + 1 < row.length ? at(row[index + 1].from) : null, length: lengths[index],
      before: { from: index > 0 ? at(row[index - 1].from) : 0, length: lengths[index] + (lengths[index - 1] ?? 0) },
    }));
  }
  const shapes = marks.filter(({ kind }) => kind !== "begin");
  shapes.slice(1).forEach((piece, index) => rooms.push({
    from: at(shapes[index].from), to: at(piece.from), length: LYING.mark * em,
  }));
  for (const piece of pieces.filter(({ type }) => type === "band")) {
    const label = piece.label === "" ? 0.4 * em : measure(piece.label, piece.tone) + 1.2 * em;
    rooms.push({ from: at(piece.from), to: at(piece.to), length: label });
  }
  return rooms;
}

function uprightRooms(pieces, at, { em }) {
  const line = UPRIGHT.line * em;
  const rooms = [];
  const marks = pieces.filter((piece) => piece.type === "mark");
  marks.forEach((piece, index) => rooms.push({
    from: at(piece.from), to: index + 1 < marks.length ? at(marks[index + 1].from) : null,
    length: piece.lines.length * line + 0.35 * em,
  }));
  pieces.forEach((piece, index) => {
    if (piece.type === "band") {
      const above = pieces[index - 1]?.type === "mark" ? 2 * (pieces[index - 1].lines.length - 1) : 0;
      const label = piece.label === "" ? 0.4 * em : (piece.lines.length + 1.6 + above) * line;
      rooms.push({ from: at(piece.from), to: at(piece.to), length: label });
    }
  });
  return rooms;
}

function linkRooms(model, pieces, at, { em, measure }) {
  return model.missed.map((miss) => {
    const ends = [readMoment(model, pieces, miss), clock(model, miss.writtenUs)];
    const [from, to] = ends.sort((one, other) => one - other).map(at); // a write may come before the read
    return { from, to, length: measure(missedLabel(miss), "stale") + 2 * em };
  });
}

// The index of the known moment nearest to a time.
function nearest(times) {
  return (time) => {
    let best = 0;
    times.forEach((known, index) => {
      if (Math.abs(known - time) < Math.abs(times[best] - time)) {
        best = index;
      }
    });
    return best;
  };
}

function commonAxis(models, lanes, rows, options) {
  const times = [...new Set([0, ...lanes.flatMap(momentsOf), ...rows.flatMap(rowMoments)])].sort((one, other) => one - other);
  const at = nearest(times);
  const roomsOf = options.upright ? uprightRooms : lyingRooms;
  const rooms = lanes.flatMap((race, index) => [
    ...race.flatMap((pieces) => roomsOf(pieces, at, options)),
    ...(options.upright ? [] : linkRooms(models[index], race, at, options)),
    ...rowRooms(rows[index], at, options),
  ]);
  const axis = placeMoments(times, rooms.filter(({ from, to }) => to === null || to > from),
    { extent: options.along, least: 0.35 * options.em, unit: options.em });
  for (const { piece } of axis.folded) {
    piece.folded = true;
  }
  return axis;
}

// Lying

// The name of a replica has up to 32 characters; a heading has room for a dozen.
function shortened(name) {
  return name.length > 12 ? `${name.slice(0, 11)}\u2026` : name;
}

function headings(lane, standing = false) {
  if (lane.heading) { // a unit of the proxy has its own words
    return { letter: lane.letter, ...lane.heading };
  }
  const outcome = lane.anomaly === "double_spend" ? "double spend"
    : lane.anomaly === "lost_update" ? "lost update" : OUTCOMES[lane.outcome];
  const tone = lane.anomaly === "double_spend" || lane.anomaly === "lost_update" ? "bad"
    : lane.outcome === "failed" ? "bad" : lane.outcome === "succeeded" ? "good" : "plain";
  const where = lane.replica ? ` on ${shortened(lane.replica)}` : "";
  const title = standing ? `to ${lane.to}${where}` : `${shortMoney(lane.amount)} to ${lane.to}${where}`;
  return { letter: lane.letter, title, outcome, tone };
}

export function gutterOf(models, { em, measure }) {
  const widest = Math.max(...models.flatMap((model) => model.lanes).map((lane) => headings(lane))
    .map(({ title, outcome }) => Math.max(measure(title, "bad"), measure(outcome, "bad"))));
  return widest + (LYING.badge + 1.6) * em;
}

// The lanes from top to bottom, with the contested row below the first one, and room for every line between a read and
// the write it missed.
function lyingRows(model, pieces, row, em) {
  const rows = [];
  let y = LYING.edge * em;
  model.lanes.forEach((lane, index) => {
    const bar = y + (LYING.label + LYING.bar / 2) * em;
    rows.push({ bar, links: [] });
    const deepest = Math.max(DID, ...pieces[index].filter(({ type }) => type === "mark").map(rowOf));
    y = bar + (LYING.bar / 2 + LYING.label * deepest) * em;
    if (index === 0) {
      rows[0].row = y;
      y += rowExtent(row, { em, upright: false });
    }
    for (const miss of model.missed) {
      const upper = [miss.reader, miss.writer].sort()[0];
      if (upper === lane.letter) {
        rows[index].links.push({ miss, y: y + LYING.link / 2 * em });
        y += LYING.link * em;
      }
    }
    y += index + 1 < model.lanes.length ? LYING.gap * em : 0;
  });
  return { rows, height: y };
}

// The label of a band: the label that room was made for, else the spare label if it fits.
function bandLabel(piece, room, { em, measure }) {
  const fits = piece.label === "" && piece.spare && measure(piece.spare, piece.tone) + em <= room;
  return fits ? piece.spare : piece.label;
}

function lyingPiece(piece, row, place, options) {
  const { em } = options;
  const from = place(piece.from);
  const to = place(piece.to);
  if (piece.type === "band") {
    return {
      ...piece, reveal: from, x: from, y: row.bar - LYING.bar / 2 * em, width: Math.max(2, to - from),
      height: LYING.bar * em, text: { x: (from + to) / 2, y: row.bar, anchor: "middle", lines: [bandLabel(piece, to - from, options)] },
    };
  }
  const side = Math.sign(rowOf(piece));
  const depth = Math.abs(rowOf(piece));
  const end = row.bar + side * (LYING.bar / 2 + LYING.label * depth - 0.3) * em;
  const middle = row.bar + side * (LYING.bar / 2 + LYING.label * (depth - 0.5) + 0.05) * em;
  return {
    ...piece, reveal: from, x: from, y: row.bar, leader: { x1: from, y1: row.bar, x2: from, y2: end },
    text: { x: from + (piece.folded ? -0.4 : 0.4) * em, y: middle, anchor: piece.folded ? "end" : "start", lines: [piece.label] },
  };
}

function lyingLinks(model, pieces, rows, place, em) {
  const beside = (bar, y) => bar + Math.sign(y - bar) * 0.6 * em;
  const lane = (letter) => rows[model.lanes.findIndex((each) => each.letter === letter)];
  return rows.flatMap((row) => row.links.map(({ miss, y }) => {
    const read = place(readMoment(model, pieces, miss));
    const write = place(clock(model, miss.writtenUs));
    return {
      ...miss, reveal: Math.max(read, write),
      points: [[read, beside(lane(miss.reader).bar, y)], [read, y], [write, y], [write, beside(lane(miss.writer).bar, y)]],
      text: { x: (read + write) / 2, y, anchor: "middle", lines: [missedLabel(miss)] },
    };
  }));
}

function lyingBracket([from, to], bar, place, em) {
  const height = (LYING.bar + 2 * BRACKET) * em;
  return { reveal: place(from), x: place(from), y: bar - height / 2, width: Math.max(2, place(to) - place(from)), height };
}

function lying(model, pieces, row, axis, options) {
  const { em, gutter } = options;
  const place = (time) => gutter + interpolate(axis.times, axis.places, time);
  const { rows, height } = lyingRows(model, pieces, row, em);
  const foot = height + 0.5 * em;
  const marked = ticks(axis, 4.4 * em);
  return {
    upright: false,
    em,
    width: gutter + axis.length + LYING.end * em,
    height: height + LYING.ruler * em,
    from: place(0),
    place,
    timeAt: (x) => interpolate(axis.places, axis.times, x - gutter),
    scale: layScale(axis, pieces.flat(), { em, end: axis.times.at(-1), origin: gutter, line: foot, strip: foot + LYING.strip * em,
      upright: false, ticks: marked, fans: true }),
    lanes: rows.map(({ bar }, index) => ({
      ...headings(model.lanes[index]),
      line: { x1: gutter, y1: bar, x2: place(pieces[index].at(-1)?.to ?? 0), y2: bar },
      badge: { x: LYING.badge / 2 * em, y: bar, r: 1.05 * em },
      texts: [{ x: (LYING.badge + 0.5) * em, y: bar - 0.62 * em }, { x: (LYING.badge + 0.5) * em, y: bar + 0.68 * em }],
    })),
    brackets: rows.flatMap(({ bar }, index) => transactionsOf(pieces[index]).map((each) => lyingBracket(each, bar, place, em))),
    pieces: rows.flatMap((lane, index) => pieces[index].map((piece) => lyingPiece(piece, lane, place, options))),
    links: lyingLinks(model, pieces, rows, place, em),
    row: layoutRow(row, model.account, rows[0].row, place, { ...options, end: place(endOf(pieces)) }),
    ticks: marked.map(({ ms, place: x }) => ({
      x1: gutter + x, y1: LYING.edge * em, x2: gutter + x, y2: foot,
      text: { x: gutter + x, y: foot + 0.9 * em, anchor: "middle", lines: [tickWords(ms)] },
    })),
  };
}

// Upright

function uprightPiece(piece, spine, place, em) {
  const from = place(piece.from);
  const to = place(piece.to);
  const x = spine + UPRIGHT.text * em;
  if (piece.type === "band") {
    return {
      ...piece, reveal: from, x: spine - UPRIGHT.bar / 2 * em, y: from, width: UPRIGHT.bar * em,
      height: Math.max(2, to - from), text: { x, y: (from + to) / 2, anchor: "start", lines: piece.lines },
    };
  }
  const middle = from + (piece.lines.length - 1) / 2 * UPRIGHT.line * em;
  return { ...piece, reveal: from, x: spine, y: from, leader: null, text: { x, y: middle, anchor: "start", lines: piece.lines } };
}

// A line from the reader to the writer through the gap between their columns. It crosses neither text.
function uprightLinks(model, spines, drawn, place, { em, measure }) {
  const index = (letter) => model.lanes.findIndex((lane) => lane.letter === letter);
  return model.missed.map((miss) => {
    const [reader, writer] = [index(miss.reader), index(miss.writer)];
    const channel = spines[Math.max(reader, writer)] - 0.95 * em;
    const end = (lane, other, time) => {
      if (lane > other) {
        return spines[lane] - 0.4 * em;
      }
      const piece = drawn[lane].find((each) => each.type === "mark" && Math.abs(each.from - time) < 2 * NUDGE_MS);
      const widest = piece ? Math.max(...piece.lines.map((line) => measure(line, piece.tone))) : 0;
      return Math.min(channel, spines[lane] + UPRIGHT.text * em + widest + 0.2 * em);
    };
    const [read, written] = [readMoment(model, drawn, miss), clock(model, miss.writtenUs)];
    return {
      ...miss, reveal: Math.max(place(read), place(written)), text: null,
      points: [[end(reader, writer, read), place(read)], [channel, place(read)], [channel, place(written)],
        [end(writer, reader, written), place(written)]],
    };
  });
}

function uprightBracket([from, to], spine, place, em) {
  const width = (UPRIGHT.bar + 2 * BRACKET) * em;
  return { reveal: place(from), x: spine - width / 2, y: place(from), width, height: Math.max(2, place(to) - place(from)) };
}

function upright(model, pieces, row, axis, options) {
  const { em, columns, ruler } = options;
  const place = (time) => UPRIGHT.head * em + interpolate(axis.times, axis.places, time);
  const width = columns[options.models.indexOf(model)];
  const beside = rowExtent(row, options); // the contested row stands right of the first lane
  const spines = model.lanes.map((lane, index) =>
    ruler + UPRIGHT.mark * em + index * width + (index > 0 ? beside : 0));
  const total = ruler + model.lanes.length * width + beside;
  const ends = pieces.flat().map((piece) => place(piece.to) + piece.lines.length * UPRIGHT.line * em);
  const height = Math.max(...ends) + UPRIGHT.edge * em; // the end of this picture, not of the longest one
  const marked = ticks(axis, 1.7 * em).filter((tick) => UPRIGHT.head * em + tick.place < height - em);
  return {
    upright: true,
    em,
    width: total,
    height,
    from: place(0),
    place,
    timeAt: (y) => interpolate(axis.places, axis.times, y - UPRIGHT.head * em),
    scale: layScale(axis, pieces.flat(), { em, end: Math.max(...pieces.flat().map(({ to }) => to)), origin: UPRIGHT.head * em,
      line: ruler - UPRIGHT.axis * em, strip: UPRIGHT.strip, upright: true, ticks: marked, fans: false }),
    lanes: spines.map((x, index) => ({
      ...headings(model.lanes[index], true),
      line: { x1: x, y1: place(0), x2: x, y2: place(pieces[index].at(-1)?.to ?? 0) },
      badge: { x, y: 1.5 * em, r: 0.85 * em },
      texts: [{ x: x + em, y: 1.5 * em }, { x: x - UPRIGHT.mark * em, y: 3.2 * em }],
    })),
    brackets: spines.flatMap((x, index) => transactionsOf(pieces[index]).map((each) => uprightBracket(each, x, place, em))),
    pieces: spines.flatMap((x, index) => pieces[index].map((piece) => uprightPiece(piece, x, place, em))),
    row: layoutRow(row, model.account, ruler + width, place, { ...options, end: place(endOf(pieces)) }),
    links: uprightLinks(model, spines, pieces, place, options),
    ticks: marked.map(({ ms, place: along }) => {
      const y = UPRIGHT.head * em + along;
      return {
        x1: ruler - UPRIGHT.axis * em, y1: y, x2: total, y2: y,
        text: { x: ruler - 2 * UPRIGHT.axis * em, y, anchor: "end", lines: [tickWords(ms)] },
      };
    }),
  };
}

// The width of an upright lane. Its labels are broken to fit.
function broken(lanes, row, { em, across, measure, ruler, upright: standing }) {
  const beside = ruler + rowExtent(row, { em, upright: standing });
  const fit = (across - beside) / lanes.length;
  const width = fit >= UPRIGHT.column * em ? fit : UPRIGHT.scrolled * em; // if it scrolls, its words have room
  const room = width - (UPRIGHT.mark + UPRIGHT.text + 1.1) * em;
  for (const piece of lanes.flat()) {
    piece.lines = wrap(piece.label, room, (text) => measure(text, piece.tone));
  }
  return width;
}

// The room for the true-scale strip and the times beside it, of at most six characters.
function rulerOf({ em, measure }, tick) {
  return 3.6 * UPRIGHT.axis * em + tick * measure("000 ms");
}

// models: races that share an axis. options: em (px), measure(text, tone) (px), upright, width (px) to fill, nowUs, and
// tick, the size of the times at an upright axis in em.
export function layoutTimelines(models, { em, measure, upright: standing, width, nowUs = 0, tick = 0.85 }) {
  if (models.length === 0) {
    return [];
  }
  const lanes = models.map((model) => timed(model, nowUs, standing));
  const rows = models.map((model, index) =>
    rowOfRace(model, (us) => clock(model, us), lanes[index], endOf(lanes[index])));
  const options = { em, measure, upright: standing, across: width, models };
  if (standing) {
    options.ruler = rulerOf(options, tick);
    options.columns = models.map((model, index) => broken(lanes[index], rows[index], options));
    options.along = 0;
  } else {
    options.gutter = gutterOf(models, options);
    options.along = width - options.gutter - LYING.end * em;
  }
  const axis = commonAxis(models, lanes, rows, options);
  return models.map((model, index) => (standing ? upright : lying)(model, lanes[index], rows[index], axis, options));
}
