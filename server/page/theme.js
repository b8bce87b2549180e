// Sets light or dark before the first paint: the theme that was chosen here before, else the system's. It is not a
// module, so that it runs before the page is drawn.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // A browser without storage uses the system's theme.
  }
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.dataset.theme = chosen;
  }
}
