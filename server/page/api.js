// The bank's HTTP interface, as the page needs it. Every answer that is none is an ApiProblem with the server's words.
// The admin token, where one is wanted, lives in this module's memory and nowhere else.

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

// ask(refused) gives what the person typed, or null; refused: a token was sent and was not the right one.
export function whenTokenIsWanted(ask) {
  askForToken = ask;
}

async function send(method, path, body) {
  const headers = {};
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  if (token !== null) {
    headers.Authorization = `Bearer ${token}`;
  }
  try {
    return await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
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

// null: the server does not have it, or no longer.
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
  strategies: async () => (await request("GET", "/strategies")).strategies,
  settings: () => request("GET", "/admin/settings"),
  races: (limit) => request("GET", `/races?${query({ limit })}`),
  // null also for a race that has left the newest 1,000 records: under load that takes less than a second.
  race: (id) => orNone(request("GET", `/races/${encodeURIComponent(id)}`)),
  transfer: (transfer) => request("POST", "/transfer", transfer),
  reset: () => request("POST", "/reset"),
  setSettings: (settings) => request("POST", "/admin/settings", settings),
};
