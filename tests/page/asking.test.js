// Answers may arrive in another order than their questions; a question may wait for the answer before it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { settled, turns } from "../../server/page/asking.js";

// A call whose answers the test gives by hand.
function asked() {
  const answers = [];
  const call = () => new Promise((resolve) => answers.push({ resolve }));
  return { answers, call };
}

test("a turn lasts until the next one is taken", () => {
  const next = turns();
  const first = next();
  assert.equal(first(), true);
  const second = next();
  assert.deepEqual([first(), second()], [false, true]);
});

test("nothing is asked again before the last answer is here, and then once for all that came in between", async () => {
  const real = globalThis.setTimeout;
  const due = [];
  globalThis.setTimeout = (call) => due.push(call);
  const timeIsOver = async () => {
    due.splice(0).forEach((call) => call());
    await new Promise((resolve) => setImmediate(resolve));
  };
  try {
    const { answers, call } = asked();
    const refresh = settled(0, call);
    refresh();
    refresh();
    await timeIsOver();
    assert.equal(answers.length, 1);
    refresh();
    refresh();
    await timeIsOver();
    assert.equal(answers.length, 1, "the first is not answered yet");
    answers[0].resolve();
    await timeIsOver();
    await timeIsOver();
    assert.equal(answers.length, 2, "one question for two");
    answers[1].resolve();
    await timeIsOver();
    await timeIsOver();
    assert.equal(answers.length, 2, "nothing was asked for since");
    refresh();
    await timeIsOver();
    assert.equal(answers.length, 3);
  } finally {
    globalThis.setTimeout = real;
  }
});
