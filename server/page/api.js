// The bank's HTTP interface, as far as the page needs it. Every error answer is thrown as an ApiProblem with the
// server's title and detail. The admin token is kept in this module's memory only, so that no other script and no
// storage has it.

export class ApiProblem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail ?? "";
  }
}

let token = null;
let askForToken = async () => null;

// ask(refused) returns the typed token, or null. refused is true after the server has rejected a token.
export function whenTokenIsWanted(ask) {
  askForToken = ask;
}

async function send(method, path, body, keepalive = false) {
  const headers = {};
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  if (token !== null) {
    headers.Authorization = `Bearer ${token}`;
  }
  try {
    return await fetch(path, { method, headers, keepalive, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new ApiProblem(0, "No answer", "The server did not answer. Is it still running?");
  }
}

async function problemOf(answer) {
  try {
    const { title, detail } = await answer.json();
    return new ApiProblem(answer.status, title ?? answer.statusText, detail);
  } catch {
    return new ApiProblem(answer.status, answer.statusText || "Error", "");
  }
}

async function request(method, path, body) {
  let answer = await send(method, path, body);
  while (answer.status === 401) {
    const given = await askForToken(token !== null);
    if (given === null) {
      throw await problemOf(answer);
    }
    token = given;
    answer = await send(method, path, body);
  }
  if (!answer.ok) {
    throw await problemOf(answer);
  }
  return answer.json();
}

// Returns null when the server answers 404: it does not have the object, or has it no longer.
async function orNone(asking) {
  try {
    return await asking;
  } catch (problem) {
    if (problem.status === 404) {
      return null;
    }
    throw problem;
  }
}

const query = (values) => new URLSearchParams(values).toString();

export const api = {
  accounts: async () => (await request("GET", "/accounts")).accounts,
  audit: () => request("GET", "/audit"),
  strategies: async () => (await request("GET", "/strategies")).strategies,
  settings: () => request("GET", "/admin/settings"),
  races: (limit) => request("GET", `/races?${query({ limit })}`),
  // Returns null also for a race that is no longer among the newest 1,000 records; under load that takes less than a
  // second.
  race: (id) => orNone(request("GET", `/races/${encodeURIComponent(id)}`)),
  transfer: (transfer) => request("POST", "/transfer", transfer),
  // Where the two transfers of a lesson stand after the steps of an order, such as ["A", "B"].
  lesson: (name, order) => request("POST", `/lesson?${query({ name, order: order.join(",") })}`),
  reset: () => request("POST", "/reset"),
  // The totals of the database begin again with this reset.
  resetTotals: () => request("POST", "/reset?totals=true"),
  setSettings: (settings) => request("POST", "/admin/settings", settings),
  // For a page that is being left: the browser sends the request, and nobody reads the answer.
  setSettingsAtTheEnd: (settings) => send("POST", "/admin/settings", settings, true).catch(() => {}),
};
