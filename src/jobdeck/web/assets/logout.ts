// Whoever logs out leaves nothing behind of what was written into forms: see pages/run/kept_form.ts.

/** How the names of kept forms begin in the storage of a tab. */
export const FORMS = "jobdeck-form:";

document.addEventListener("submit", (event) => {
  if (!(event.target as HTMLFormElement).matches('form[action="/logout"]')) return;
  try {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(FORMS)) sessionStorage.removeItem(name);
  } catch {
    // Storage is switched off, so there is nothing.
  }
});
