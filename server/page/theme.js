// Light or dark before the first paint: what was chosen here before, else what the system says. Not a module, so that
// it runs before the page is drawn.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // A browser that keeps nothing gets what the system says.
  }
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.dataset.theme = chosen;
  }
}
