// Objects that there are, offered where one is to be named; and whether the one named is among them.

import { asFragment } from "../../../assets/fragment.ts";
import { projectOf } from "../project.ts";
import { rooted } from "../../../assets/root.ts";

let known: string | undefined;

/** Load the names when the first such field is entered. */
export function suggest(form: HTMLElement, options: AddEventListenerOptions): void {
  form.addEventListener("focusin", (event) => void load(form, event.target as HTMLElement), options);
  form.addEventListener("input", (event) => note(event.target as HTMLElement), options);
}

async function load(form: HTMLElement, control: HTMLElement): Promise<void> {
  const project = projectOf(form);
  const list = document.getElementById("run-objects");
  if (!list || !control.matches?.("[data-ref]") || known === project) return;
  known = project;
  try {
    const answer = await fetch(`${rooted("/run-parts/objects")}?${new URLSearchParams({ project })}`, { headers: asFragment() });
    if (answer.ok) list.innerHTML = await answer.text();
    else known = undefined;
  } catch {
    known = undefined; // it is only help; the next time it is tried again
  }
  note(control);
}

function note(control: HTMLElement): void {
  if (!(control instanceof HTMLInputElement) || !control.matches("[data-ref]")) return;
  const place = control.parentElement?.querySelector("[data-note]");
  const found = [...document.querySelectorAll<HTMLOptionElement>("#run-objects option")].find((o) => o.value === control.value);
  const text = !control.value.includes("/") || known === undefined ? "" : found ? `There is one: ${found.label}.` : "There is none of this name yet.";
  if (place && place.textContent !== text) place.textContent = text;
}
