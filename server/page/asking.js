// Orders the questions to the server, because its answers may arrive in another order than the questions were sent.
// Pure.

const SETTLE_MS = 150; // under load there are events all the time: one question covers all events of this time

// Call the result before each question: it returns a function that is true until the next question is sent.
export function turns() {
  let newest = 0;
  return () => {
    newest += 1;
    const mine = newest;
    return () => mine === newest;
  };
}

// Returns a function that runs `call` soon, at most once in `pause` ms. A call never starts before the last one has its
// answer, so the answers arrive in order. All requests in between are answered by one more call.
export function settled(pause, call) {
  let planned = false;
  let again = false;
  let last = -Infinity;

  function plan() {
    setTimeout(async () => {
      last = performance.now();
      again = false;
      try {
        await call();
      } finally {
        planned = again;
        if (again) {
          plan();
        }
      }
    }, Math.max(SETTLE_MS, last + pause - performance.now()));
  }

  return () => {
    again = true;
    if (!planned) {
      planned = true;
      plan();
    }
  };
}
