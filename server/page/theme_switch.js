// The button that chooses between the system's theme, light and dark. theme.js applies the choice at the next load.

import { find } from "./dom.js";

const THEMES = ["system", "light", "dark"];

function show(theme) {
  const root = document.documentElement;
  if (theme === "system") {
    delete root.dataset.theme;
  } else {
    root.dataset.theme = theme;
  }
  find("#theme").textContent = `Theme: ${theme}`;
}

export function startThemeSwitch() {
  let theme = document.documentElement.dataset.theme ?? "system";
  show(theme);
  find("#theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    show(theme);
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // Without storage the choice holds for this page only.
    }
  });
}
