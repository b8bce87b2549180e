// Asks for the admin token when the server requires one.

import { find } from "./dom.js";

// Returns the typed token, or null.
export function askForToken(refused) {
  const dialog = find("#token");
  const input = find("#token-input");
  find("#token-refused").hidden = !refused;
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "send" && input.value ? input.value : null), { once: true });
  });
}

export function startToken() {
  const dialog = find("#token");
  find("#token-send").addEventListener("click", () => dialog.close("send"));
  find("#token-cancel").addEventListener("click", () => dialog.close(""));
  find("#token-input").addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      dialog.close("send");
    }
  });
}
