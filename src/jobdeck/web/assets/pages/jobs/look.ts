// Which columns are shown and how dense: kept in this browser.

import { prefer, preference } from "../../preferences.ts";

const root = document.documentElement;
const form = document.getElementById("columns-form") as HTMLFormElement | null;

const boxes = (): HTMLInputElement[] => [...(form?.querySelectorAll<HTMLInputElement>("[name=column]") ?? [])];

/** The columns that are shown, by their keys. */
export const shownColumns = (): string[] => boxes().filter((box) => box.checked).map((box) => box.value);

/** Show these columns and this density, and remember both. */
export function choose(columns: string[], density: string): void {
  if (columns.length) {
    for (const box of boxes()) box.checked = columns.includes(box.value);
    keepColumns();
  }
  if (density) {
    prefer("density", density === "compact" ? "" : density);
    applyDensity(density);
  }
}

/** Show the columns as `text` says, which is what differs from how it comes: "-subject +tags". */
function applyColumns(text: string): void {
  const changes = text.split(" ").filter(Boolean);
  root.dataset["jobsHide"] = changes.filter((c) => c.startsWith("-")).map((c) => c.slice(1)).join(" ");
  root.dataset["jobsShow"] = changes.filter((c) => c.startsWith("+")).map((c) => c.slice(1)).join(" ");
  for (const box of boxes()) {
    box.checked = "extra" in box.dataset ? changes.includes(`+${box.value}`) : !changes.includes(`-${box.value}`);
  }
}

function applyDensity(density: string): void {
  if (density === "comfortable") root.dataset["density"] = density;
  else delete root.dataset["density"];
  for (const radio of form?.querySelectorAll<HTMLInputElement>("[name=density]") ?? []) {
    radio.checked = radio.value === (density || "compact");
  }
}

form?.addEventListener("change", (event) => {
  const control = event.target as HTMLInputElement;
  if (control.name === "density") {
    prefer("density", control.value === "compact" ? "" : control.value);
    applyDensity(control.value);
    return;
  }
  keepColumns();
});

function keepColumns(): void {
  const text = boxes()
    .filter((box) => box.checked === "extra" in box.dataset)
    .map((box) => `${box.checked ? "+" : "-"}${box.value}`)
    .join(" ");
  prefer("jobs-columns", text);
  applyColumns(text);
}

applyColumns(preference("jobs-columns"));
applyDensity(preference("density"));
