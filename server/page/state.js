// What the page knows, in one place: whoever shows a part of it listens for that part. Pure.

export function createState(values) {
  const listeners = [];
  return {
    get: (name) => values[name],
    // Tells those who listen for something that has changed, once each.
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
