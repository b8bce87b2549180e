// Sends two transfers a given time apart. It runs in a thread of its own: in the page's thread, drawing would delay the
// second transfer by milliseconds.

async function post(body) {
  try {
    const answer = await fetch("/transfer", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  } catch {
    return { status: 0, body: { title: "No answer", detail: "The server did not answer. Is it still running?" } };
  }
}

// Two requests at once leave two open connections behind, so that neither transfer waits for a new one.
function warm() {
  return Promise.allSettled([0, 1].map(() => fetch("/health").then((answer) => answer.text())));
}

addEventListener("message", async ({ data: { gap, bodies } }) => {
  await warm();
  const first = post(bodies[0]);
  const until = performance.now() + gap;
  while (performance.now() < until) {
    // a timer of the browser has a resolution of 1 ms at best
  }
  const second = post(bodies[1]);
  postMessage([await first, await second]);
});
