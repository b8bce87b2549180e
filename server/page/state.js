// The state of the page in one place. The part of the page that shows a value listens for its changes. Pure.

export function createState(values) {
  const listeners = [];
  return {
    get: (name) => values[name],
    // Calls each listener of a changed value once.
    set(changes) {
      const changed = Object.keys(changes).filter((name) => values[name] !== changes[name]);
      Object.assign(values, changes);
      for (const { names, call } of listeners) {
        if (names.some((name) => changed.includes(name))) {
          call(values);
        }
      }
    },
    on(names, call) {
      listeners.push({ names, call });
    },
  };
}
