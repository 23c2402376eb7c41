// Runs before the first paint: the theme that the person chose, so that nothing flashes. See preferences.ts.
try {
  const theme = localStorage.getItem("jobdeck-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const density = localStorage.getItem("jobdeck-density");
  if (density) document.documentElement.dataset.density = density;
} catch {
  // Storage is switched off; the system's theme it is.
}

export {};

// Styles hide what only scripts can do from browsers that run none.
document.documentElement.dataset["scripts"] = "on";
