// Starts the viewer of /docs with /openapi.json. The viewer has the theme that was chosen on the live page, which
// theme.js has set at the root; without a choice it follows the browser.

const dark = window.matchMedia("(prefers-color-scheme: dark)");

function followTheLook() {
  const chosen = document.documentElement.dataset.theme;
  document.documentElement.classList.toggle("dark-mode", chosen ? chosen === "dark" : dark.matches);
}

// The response of GET /events has no end while a subscriber is connected, so "Try it out" would show nothing.
const NEVER_ENDING = ["/events"];

const onlyWhatEnds = {
  statePlugins: {
    spec: {
      wrapSelectors: {
        allowTryItOutFor: (original) => (state, path, method) =>
          !NEVER_ENDING.includes(path) && original(state, path, method),
      },
    },
  },
};

// The viewer gives most of its controls no accessible name, and the keyboard cannot reach its code blocks.
function nameOf(control) {
  const parameter = control.closest("[data-param-name]");
  const response = control.closest("[data-code]");
  if (control.id === "servers") {
    return "Server";
  }
  if (parameter !== null) {
    return parameter.dataset.paramName;
  }
  if (control.closest(".content-type-wrapper, .response-control-media-type") !== null) {
    return response === null ? "Media type of the body" : `Media type of ${response.dataset.code}`;
  }
  if (control.tagName === "TEXTAREA") {
    return "Body of the request";
  }
  return response === null ? "Example" : `Example of ${response.dataset.code}`;
}

function makeReachable() {
  for (const control of document.querySelectorAll("#docs :is(select, textarea):not([aria-label])")) {
    control.setAttribute("aria-label", nameOf(control));
  }
  for (const code of document.querySelectorAll("#docs pre.microlight:not([tabindex])")) {
    code.setAttribute("tabindex", "0");
  }
}

followTheLook();
dark.addEventListener("change", followTheLook);
new MutationObserver(makeReachable).observe(document.querySelector("#docs"), { childList: true, subtree: true });

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  plugins: [onlyWhatEnds],
  tryItOutEnabled: true,
  validatorUrl: null,
});
