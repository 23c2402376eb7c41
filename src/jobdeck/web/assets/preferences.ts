// What a person chose for this browser: theme and density, kept in localStorage. theme.ts applies them at the start.

function keep(name: string, value: string): void {
  try {
    if (value === "system" || value === "") localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // Storage is switched off; it holds for this page.
  }
}

/** What was kept, or an empty text. */
export function preference(name: string): string {
  try {
    return localStorage.getItem(`jobdeck-${name}`) ?? "";
  } catch {
    return "";
  }
}

/** Keep a choice under `name`. */
export function prefer(name: string, value: string): void {
  keep(`jobdeck-${name}`, value);
}

function applyTheme(theme: string): void {
  if (theme === "light" || theme === "dark") document.documentElement.dataset["theme"] = theme;
  else delete document.documentElement.dataset["theme"];
  for (const radio of document.querySelectorAll<HTMLInputElement>("[data-theme-choice] input")) {
    radio.checked = radio.value === (theme || "system");
  }
}

applyTheme(preference("theme"));
document.addEventListener("change", (event) => {
  const radio = event.target as HTMLInputElement;
  if (!radio.closest?.("[data-theme-choice]")) return;
  prefer("theme", radio.value);
  applyTheme(radio.value === "system" ? "" : radio.value);
});
addEventListener("storage", (event) => {
  if (event.key === "jobdeck-theme") applyTheme(event.newValue ?? "");
});
