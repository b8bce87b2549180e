// The stream of GET /events. The caller gets every event, and the state of the connection whenever it changes.
// EventSource reconnects by itself after a broken connection. It does not reconnect after a refusal (503), so this
// module does.

const NAMES = ["hello", "gap", "admitted", "step", "barrier_arrival", "barrier_release", "transfer", "settings", "reset",
  "skipped", "dropped", "bye"];
const REFUSED_RETRY_MS = 3000;

// onEvent(name, data). onConnection(state): "live", "restarted", "reconnecting", "stopping", "slow" or "refused".
// onFresh(): the state of the page may be old. It is called after every hello that resumes nothing; a gap event follows
// only such a hello.
export function openEvents({ onEvent, onConnection, onFresh }) {
  let boot = null;

  function hello(data) {
    const restarted = boot !== null && boot !== data.boot;
    boot = data.boot;
    onConnection(restarted ? "restarted" : "live");
    if (!data.resumed) {
      onFresh();
    }
  }

  function take(name, event) {
    const data = JSON.parse(event.data);
    onEvent(name, data);
    if (name === "hello") {
      hello(data);
    } else if (name === "dropped") {
      onConnection("slow");
    } else if (name === "bye") {
      onConnection("stopping");
    }
  }

  function connect() {
    const source = new EventSource("/events");
    for (const name of NAMES) {
      source.addEventListener(name, (event) => take(name, event));
    }
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        onConnection("refused");
        setTimeout(connect, REFUSED_RETRY_MS);
      } else {
        onConnection("reconnecting");
      }
    };
  }

  connect();
}
