// The sketch of a strategy, read by the page: where its transaction begins, whether a write reads as well, which line a
// step belongs to, and what differs from another sketch. Pure. A sketch is a list of {line, steps, pauses}, as
// GET /strategies has it.

const ENDS = new Set(["commit", "retry"]);

// The transaction of a strategy: the steps inside it, and its isolation level if it is not the usual one. null: each
// statement commits on its own.
export function transactionOf(sketch) {
  const begin = sketch.findIndex(({ line }) => line.startsWith("BEGIN"));
  if (begin === -1) {
    return null;
  }
  const level = /ISOLATION LEVEL ([A-Z ]+);/.exec(sketch[begin].line)?.[1].toLowerCase() ?? "";
  return { level, steps: new Set(sketch.slice(begin).flatMap(({ steps }) => steps).filter((step) => !ENDS.has(step))) };
}

// True if the statement that deducts also reads, so that its snapshot is older than its write.
export function writeReads(sketch) {
  return sketch.some(({ line, steps }) => steps.includes("deduct") && line.includes("SELECT"));
}

// Where a step stands in the sketch: {index, pause}, one place for each line. A pause stands before its line.
export function placesOf(sketch, step) {
  return sketch.flatMap(({ steps, pauses }, index) => [
    ...(pauses.includes(step) ? [{ index, pause: true }] : []),
    ...(steps.includes(step) ? [{ index, pause: false }] : []),
  ]);
}

// Where a transfer that is still running stands: at the barrier, or at the line after that of its last step.
export function standing(sketch, lane) {
  if (lane.waitsAtBarrierSince !== null) {
    return placesOf(sketch, "barrier");
  }
  const last = lane.steps.findLast(({ step }) => step !== "retry")?.step;
  const place = last === undefined ? undefined : placesOf(sketch, last).at(-1);
  const index = place === undefined ? 0 : place.pause ? place.index : place.index + 1;
  return index < sketch.length ? [{ index, pause: false }] : [];
}

function shared(one, other) {
  let length = 0;
  while (length < Math.min(one.length, other.length) && one[length] === other[length]) {
    length += 1;
  }
  return length;
}

// Splits a line into [text, differs] parts: the words in the middle that the other line does not have.
function split(line, other) {
  const [words, others] = [line, other].map((each) => each.split(/(\n *|[ ;,])/).filter((word) => word !== ""));
  let head = shared(words, others);
  const tail = shared(words.slice(head).reverse(), others.slice(head).reverse());
  head += /^\s/.test(words[head]) && head < words.length - tail ? 1 : 0; // a mark does not begin with a space
  const parts = [words.slice(0, head), words.slice(head, words.length - tail), words.slice(words.length - tail)];
  return parts.map((part, index) => [part.join(""), index === 1]).filter(([text]) => text !== "");
}

const SAME = { lock: "read" };

function keyOf({ steps }) {
  return SAME[steps[0]] ?? steps[0];
}

// The lines of a sketch, each as [text, differs] parts against the line of the other sketch for the same step. A line
// without such a line, or with less than a third in common, differs as a whole.
export function differences(sketch, other) {
  return sketch.map((each) => {
    const kind = each.line.split(/\s/)[0];
    const partner = other.find((their) => keyOf(their) === keyOf(each) && their.line.split(/\s/)[0] === kind);
    if (!partner) {
      return [[each.line, true]];
    }
    const parts = split(each.line, partner.line);
    const common = parts.filter(([, differs]) => !differs).reduce((sum, [text]) => sum + text.length, 0);
    return common * 3 < each.line.length ? [[each.line, true]] : parts;
  });
}
