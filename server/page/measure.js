// Measures text in the font of the pictures.

const BOLD = new Set(["bad", "stale", "refused", "blocked"]);

let current = null;

// Returns a function that measures a text in the font of the picture, in bold for the tones that are drawn bold.
function measurer(em) {
  const context = document.createElement("canvas").getContext("2d");
  const family = getComputedStyle(document.body).fontFamily;
  const known = new Map();
  return (text, tone = "plain") => {
    const key = `${BOLD.has(tone)}${text}`;
    if (!known.has(key)) {
      context.font = `${BOLD.has(tone) ? 700 : 400} ${em}px ${family}`;
      known.set(key, context.measureText(text).width);
    }
    return known.get(key);
  };
}

export function measureAt(em) {
  current = current?.em === em ? current : Object.assign(measurer(em), { em });
  return current;
}
