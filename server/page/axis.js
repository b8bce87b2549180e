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

// times: ascending, in ms. rooms: [{from, to, length}] with indices into times; `to` is null for a room at the end of
// the axis. least: the room between two neighbours. Returns {times, places, length}; the length is at least `extent`.
export function placeMoments(times, rooms, { extent, least, unit }) {
  let placed = null;
  for (const comfort of [1, 0.5, 0.2]) {
    placed = tight(times, rooms, { least, unit }, comfort);
    if (placed.length <= extent) {
      break;
    }
  }
  const spare = Math.max(0, extent - placed.length);
  return { times, places: spread(times, placed.places, spare, unit), length: placed.length + spare };
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
