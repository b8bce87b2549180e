// The time axis: it gives every moment a place. It keeps the order, gives a long wait more room than a short one, and
// makes room for the labels in between. So labels cannot overlap, and 200 ms of sleep do not squeeze the one
// millisecond in which everything happens. Pure. A place is a length in pixels from the start of the axis.

// The room for elapsed time alone. It grows with the logarithm; 1 ms takes half of a reading unit.
function ease(ms, unit) {
  return unit * 0.5 * Math.log2(1 + ms);
}

// The place of any moment, computed from the places of the known moments. A moment before the first or after the last
// of them gets the place of that one.
export function interpolate(times, places, time) {
  if (times.length === 0) {
    return 0;
  }
  const after = times.findIndex((known) => known >= time);
  if (after === -1) {
    return places.at(-1);
  }
  if (after === 0 || times[after] === time) {
    return places[after];
  }
  const share = (time - times[after - 1]) / (times[after] - times[after - 1]);
  return places[after - 1] + share * (places[after] - places[after - 1]);
}

// Distributes the rest of `extent`, with the largest share where most time passes.
function spread(times, places, spare, unit) {
  const weights = times.map((time, index) => index === 0 ? 0 : ease(time - times[index - 1], unit) + 0.1);
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  let given = 0;
  return places.map((place, index) => {
    given += weights[index];
    return whole > 0 ? place + spare * given / whole : place;
  });
}

// The smallest places that keep all rooms. comfort (1 to 0) is the share of the optional room that is kept.
function tight(times, rooms, { least, unit }, comfort) {
  const ending = new Map();
  for (const room of rooms.filter(({ to }) => to !== null)) {
    ending.set(room.to, [...(ending.get(room.to) ?? []), room]);
  }
  const places = [];
  for (let index = 0; index < times.length; index++) {
    let place = index === 0 ? 0
      : places[index - 1] + Math.max(least, ease(times[index] - times[index - 1], unit)) * comfort;
    for (const { from, length } of ending.get(index) ?? []) {
      place = Math.max(place, places[from] + length);
    }
    places.push(place);
  }
  const tail = (from) => rooms.filter((room) => room.to === null && room.from === from)
    .reduce((most, { length }) => Math.max(most, length), 0);
  return { places, length: places.reduce((most, place, index) => Math.max(most, place + tail(index)), 0) };
}

// Lets labels at the end of the axis stand before their marks, the longest first, until all fit into `extent`.
function fold(times, rooms, options, comfort) {
  const folded = new Set();
  for (;;) {
    const now = rooms.map((room) => folded.has(room) ? { from: room.before.from, to: room.from, length: room.before.length } : room);
    const placed = tight(times, now, options, comfort);
    const [longest] = rooms.filter((room) => room.to === null && room.before && !folded.has(room) && room.before.from < room.from)
      .map((room) => ({ room, end: placed.places[room.from] + room.length }))
      .filter(({ end }) => end > options.extent).sort((one, other) => other.end - one.end);
    if (placed.length <= options.extent || !longest) {
      return { ...placed, folded };
    }
    folded.add(longest.room);
  }
}

// times: ascending, in ms. rooms: [{from, to, length}] with indices into times; `to` is null for a room at the end of
// the axis. Such a room may have `before`, {from, length}: the room that it takes on the other side of its moment.
// least: the room between two neighbours. Returns {times, places, length, folded}: the length is at least `extent`, and
// folded has the rooms that were taken on the other side.
export function placeMoments(times, rooms, { extent, least, unit }) {
  let placed = null;
  for (const comfort of [1, 0.5, 0.2]) {
    placed = fold(times, rooms, { extent, least, unit }, comfort);
    if (placed.length <= extent) {
      break;
    }
  }
  const spare = Math.max(0, extent - placed.length);
  return { times, places: spread(times, placed.places, spare, unit), length: placed.length + spare, folded: placed.folded };
}

// Round moments for the axis, the roundest first, each at least `apart` pixels from the next.
export function ticks(axis, apart) {
  const end = axis.times.at(-1) ?? 0;
  const chosen = [];
  for (const step of [10000, 5000, 1000, 500, 100, 50, 10, 5, 1, 0.5]) {
    if (end / step > (step < 1 ? 40 : 4000)) {
      break;
    }
    for (let number = 0; number * step <= end; number++) {
      const place = interpolate(axis.times, axis.places, number * step);
      if (chosen.every((tick) => Math.abs(tick.place - place) >= apart)) {
        chosen.push({ ms: number * step, place });
      }
    }
  }
  return chosen.sort((one, other) => one.ms - other.ms);
}

export function tickWords(ms) {
  return ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
}

// An interval is cut if it has less than half of its room on a true scale, and stretched if it has more than twice as
// much.
const OUT_OF_SCALE = 2;

// The parts of the axis from its start to `end` (ms), as [{kind, from, to}] in places; kind is "cut", "stretched" or
// "even". A part shorter than `least` belongs to the part before it.
export function scaleParts({ times, places }, end, least) {
  const whole = interpolate(times, places, end);
  const parts = [];
  for (let index = 1; index < times.length && times[index] <= end; index++) {
    const [from, to] = [places[index - 1], places[index]];
    const factor = (times[index] - times[index - 1]) / (to - from) * whole / end;
    const kind = factor > OUT_OF_SCALE ? "cut" : factor < 1 / OUT_OF_SCALE ? "stretched" : "even";
    const last = parts.at(-1);
    if (last && (last.kind === kind || to - from < least)) {
      last.to = to;
    } else if (to > from) {
      parts.push({ kind, from, to });
    }
  }
  return parts;
}
