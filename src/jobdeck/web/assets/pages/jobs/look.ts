// Which columns are shown and how dense: kept in this browser.

import { prefer, preference } from "../../preferences.ts";

const root = document.documentElement;
const form = document.getElementById("columns-form") as HTMLFormElement | null;

/** What differs from how it comes: "-subject +tags". */
export const columns = (): string => preference("jobs-columns");

/** Show the columns as `text` says, and remember it. */
export function applyColumns(text: string): void {
  const changes = text.split(" ").filter(Boolean);
  root.dataset["jobsHide"] = changes.filter((c) => c.startsWith("-")).map((c) => c.slice(1)).join(" ");
  root.dataset["jobsShow"] = changes.filter((c) => c.startsWith("+")).map((c) => c.slice(1)).join(" ");
  for (const box of form?.querySelectorAll<HTMLInputElement>("[name=column]") ?? []) {
    box.checked = "extra" in box.dataset ? changes.includes(`+${box.value}`) : !changes.includes(`-${box.value}`);
  }
}

export function applyDensity(density: string): void {
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
  const boxes = [...form.querySelectorAll<HTMLInputElement>("[name=column]")];
  const text = boxes
    .filter((box) => box.checked === "extra" in box.dataset)
    .map((box) => `${box.checked ? "+" : "-"}${box.value}`)
    .join(" ");
  prefer("jobs-columns", text);
  applyColumns(text);
});

applyColumns(columns());
applyDensity(preference("density"));
