// Which jobs are selected: some by their ids, across pages; or all that match the filters.

import { numbers } from "../../../assets/numbers.ts";
import { list, type Went } from "../navigate.ts";

const picked = new Set<number>();
let all = false;
let anchor: HTMLElement | null = null;

export type Selection = { ids: number[] } | { address: string; total: number };

const bar = document.getElementById("batch");
const boxes = (): HTMLInputElement[] => [...list.querySelectorAll<HTMLInputElement>("input[data-pick]")];
const rowOf = (box: Element): HTMLElement => box.closest<HTMLElement>("tr[data-job]")!;
const jobOf = (box: Element): number => Number(rowOf(box).dataset["job"]);
const foot = (): DOMStringMap => document.getElementById("jobs-foot")?.dataset ?? {};
export const total = (): number => Number(foot()["total"] ?? 0);

/** What a batch operation is to be about; undefined where nothing is selected. */
export function selection(): Selection | undefined {
  if (all) return { address: foot()["address"] ?? "/jobs", total: total() };
  return picked.size ? { ids: [...picked] } : undefined;
}

export function clear(): void {
  picked.clear();
  all = false;
  show();
}

/** Select a row or not, by its checkbox. */
export function toggle(box: HTMLInputElement, on: boolean): void {
  if (all) {
    all = false;
    for (const other of boxes()) picked.add(jobOf(other));
  }
  if (on) picked.add(jobOf(box));
  else picked.delete(jobOf(box));
}

export function pickPage(on: boolean): void {
  for (const box of boxes()) toggle(box, on);
  show();
}

/** Tick what is selected, and say how much that is. */
export function show(): void {
  const here = boxes();
  for (const box of here) {
    box.checked = all || picked.has(jobOf(box));
  }
  const ticked = here.filter((box) => box.checked).length;
  const page = list.querySelector<HTMLInputElement>("#pick-page");
  if (page) {
    page.checked = ticked > 0 && ticked === here.length;
    page.indeterminate = ticked > 0 && ticked < here.length;
  }
  if (!bar) return;
  const count = all ? total() : picked.size;
  bar.hidden = count === 0;
  document.body.classList.toggle("has-batch", count > 0);
  bar.querySelector("#batch-count")!.textContent = all ? `All ${numbers.format(count)} that match are selected` : `${numbers.format(count)} selected`;
  const more = bar.querySelector<HTMLButtonElement>("#pick-all")!;
  more.hidden = all || total() <= picked.size || ticked < here.length;
  more.textContent = `Select all ${numbers.format(total())} that match`;
}

list.addEventListener("click", (event) => {
  const box = event.target as HTMLInputElement;
  if (box.id === "pick-page") {
    pickPage(box.checked);
    return;
  }
  if (!box.matches("input[data-pick]")) return;
  const here = boxes();
  const from = anchor?.isConnected ? here.findIndex((other) => rowOf(other) === anchor) : -1;
  const to = here.indexOf(box);
  const range = event.shiftKey && from >= 0 ? here.slice(Math.min(from, to), Math.max(from, to) + 1) : [box];
  for (const other of range) toggle(other, box.checked);
  anchor = rowOf(box);
  show();
});
document.getElementById("pick-none")?.addEventListener("click", clear);
document.getElementById("pick-all")?.addEventListener("click", () => {
  all = true;
  picked.clear();
  show();
  document.getElementById("pick-none")?.focus();
});
list.addEventListener("jobs:went", (event) => {
  if ((event as CustomEvent<Went>).detail.filtered) clear();
  else show();
});
list.addEventListener("jobs:more", show);
list.addEventListener("jobs:changed", show);
addEventListener("pageshow", show);
