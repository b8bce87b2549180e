// The words of the page on which a person is the scheduler.

import { money } from "./words.js";

export const LESSONS = [
  { name: "vulnerable", title: "1. No protection",
    idea: "Each statement is a transaction of its own. Between the read and the deduction, the other transfer can act." },
  { name: "for_update", title: "2. SELECT ... FOR UPDATE",
    idea: "The read locks the row until COMMIT." },
  { name: "atomic_update", title: "3. The rule in the UPDATE",
    idea: "One statement checks and deducts. If the row is locked, it waits, and checks again what it then finds." },
  { name: "serializable", title: "4. SERIALIZABLE",
    idea: "Nothing is locked at the read. PostgreSQL refuses one of two transactions that cannot be put in an order." },
];

function rowsOf(answer) {
  return answer.rows.map((row) => row.map((value, column) => `${answer.columns[column]} = ${value ?? "NULL"}`).join(", "));
}

// The server's answer to a step: "balance = 1000.00, enough = t", "UPDATE 1", or its error.
export function answerOf(step) {
  return step.answers.map((answer) => {
    if (answer.error) {
      return `ERROR ${answer.error.sqlstate}: ${answer.error.message}`;
    }
    const rows = rowsOf(answer);
    return rows.length > 0 ? rows.join("; ") : answer.tag;
  }).join("; ");
}

export function standingOf(session) {
  if (session.standing === "waiting") {
    return `waits for ${session.waits_for.join(" and ")}: ${session.waits_for.join(" and ")} has locked a row that this statement needs`;
  }
  return session.standing === "ended" ? "has ended" : "can take its next step";
}

export function historyOf(balances) {
  return balances.filter((each, index) => index === 0 || each !== balances[index - 1]).map(money).join(" \u2192 ");
}

const aliceOf = (at) => Number(at.state[0].rows.find(([account]) => account === "alice")[1]);

// The kind is "solved", "safe" or "".
export function verdictOf(lesson, at, tried) {
  const hasEnded = at.sessions.every((session) => session.standing === "ended");
  const waiting = at.sessions.find((session) => session.standing === "waiting");
  const failed = at.steps.find((step) => step.answers.some((answer) => answer.error));
  if (aliceOf(at) < 0) {
    return { kind: "solved",
      text: `Solved. Alice has ${money(String(aliceOf(at)))}: both transfers had read $1000.00 before one of them deducted. Now try the other lessons.` };
  }
  if (hasEnded) {
    const count = tried === 1 ? "one order" : `${tried} orders`;
    return lesson === "vulnerable"
      ? { kind: "", text: `Alice is not negative in this order. You have tried ${count}: start again, or take steps back.` }
      : { kind: "safe", text: `Alice is not negative.${failed ? ` PostgreSQL refused ${failed.step}, and the program repeats that transfer.` : ""} You have tried ${count}. No order of this lesson makes her negative.` };
  }
  if (waiting) {
    return { kind: "safe",
      text: `${waiting.next_step} waits for ${waiting.waits_for.join(" and ")}. It goes on when ${waiting.waits_for.join(" and ")} commits, and then reads what is there.` };
  }
  return { kind: "", text: "Choose which transfer takes the next step: the left arrow for A, the right arrow for B." };
}
