// Asking the server, whose answers may arrive in another order than the questions were asked in. Pure.

const SETTLE_MS = 150; // under load there is news all the time: what comes within this time is one question

// Call the result before each question: it gives a function that is true until the next question is asked.
export function turns() {
  let newest = 0;
  return () => {
    newest += 1;
    const mine = newest;
    return () => mine === newest;
  };
}

// Gives a function that runs `call` soon, at most once in `pause` ms, and never while the last call still waits for its
// answer: so the answers come in order. Everything that is asked for in between is one more call afterwards.
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
