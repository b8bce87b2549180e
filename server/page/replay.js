// Moves a time cursor over a picture by itself, slowly enough for eyes. It moves evenly over the picture, not over
// time, so that the crowded milliseconds are shown as slowly as the others.

const WHOLE_MS = 9000; // for the whole race
const STEP_LEAST_MS = 600;

// Calls onPlace(place) with each frame, from one place to another, and onEnd() at the end. If the person prefers
// reduced motion, the cursor jumps from stop to stop. whole: the length of the race in pixels. Returns a function that
// stops it.
export function playFrom(from, { to, whole, stops, onPlace, onEnd }) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const started = performance.now();
  const ahead = stops.filter((place) => place > from);
  const pause = Math.max(STEP_LEAST_MS, WHOLE_MS / stops.length);
  let stopped = false;

  function placeAt(passed) {
    if (!still) {
      return from + passed / WHOLE_MS * whole;
    }
    const steps = Math.floor(passed / pause);
    return steps === 0 ? from : ahead[steps - 1] ?? Infinity;
  }

  function frame(now) {
    if (stopped) {
      return;
    }
    const place = placeAt(Math.max(0, now - started));
    onPlace(Math.min(place, to));
    if (place >= to) {
      stopped = true;
      onEnd();
    } else {
      requestAnimationFrame(frame);
    }
  }

  requestAnimationFrame(frame);
  return () => {
    stopped = true;
  };
}
