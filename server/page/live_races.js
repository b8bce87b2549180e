// Groups the transfers of the events into races while they run. A race is a group of transfers from one account that
// overlap in time. The keys of a transfer are the keys of GET /races/{id}, so that raceModel() reads both. Pure.

import { LANES_MAX } from "./race_model.js";

export class LiveRaces {
  #open = new Map(); // by account: the group that a new transfer joins
  #byTransfer = new Map();

  // Forgets all groups: after a gap in the stream the end of these transfers is unknown.
  clear() {
    this.#open.clear();
    this.#byTransfer.clear();
  }

  // Takes one event; returns the group that it changed, or null.
  take(name, data) {
    switch (name) {
      case "admitted": return this.#admit(data);
      case "step": return this.#change(data.id, (transfer) => this.#step(transfer, data));
      case "barrier_arrival": return this.#change(data.id, (transfer) => { transfer.waiting_since_us = data.at_us; });
      case "transfer": return this.#end(data);
      default: return null;
    }
  }

  #admit({ id, at_us, ...rest }) {
    let group = this.#open.get(rest.from_account);
    const joins = group && !group.finished && group.transfers.length < LANES_MAX;
    if (!joins) {
      group = { transfers: [], finished: false };
      this.#open.set(rest.from_account, group);
    }
    group.transfers.push({ id, ...rest, admitted_us: at_us, waiting_since_us: null, steps: [], status: null });
    this.#byTransfer.set(id, group);
    return group;
  }

  #change(id, change) {
    const group = this.#byTransfer.get(id);
    if (!group) {
      return null;
    }
    change(group.transfers.find((transfer) => transfer.id === id));
    return group;
  }

  #step(transfer, { id: _, ...step }) {
    transfer.steps.push(step);
    if (step.step === "barrier") {
      transfer.waiting_since_us = null;
    }
  }

  #end(data) {
    const group = this.#change(data.id, (transfer) => {
      Object.assign(transfer, data, {
        steps: data.steps?.length > 0 ? data.steps : transfer.steps, waiting_since_us: null,
        status: data.status ?? "failed",
      });
    });
    this.#byTransfer.delete(data.id);
    if (group) {
      group.finished = group.transfers.every(({ status }) => status !== null);
    }
    return group;
  }
}
