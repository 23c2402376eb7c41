// The list by keyboard.

import { registerKey } from "../../assets/keys.ts";
import { openMenu, operate } from "./actions.ts";
import { list, reload } from "./navigate.ts";
import { clear, pickPage, show, toggle } from "./bulk/selection.ts";

const links = (): HTMLElement[] => [...list.querySelectorAll<HTMLElement>("#jobs-rows .job-link")];
let remembered = "";

function current(): HTMLElement | null {
  const focused = document.activeElement?.closest<HTMLElement>("#jobs-rows tr");
  return focused ?? (remembered ? document.getElementById(remembered) : null);
}

function step(by: number): void {
  const all = links();
  const row = current();
  const at = row ? all.findIndex((link) => link.closest("tr") === row) : by > 0 ? -1 : all.length;
  const next = all[Math.max(0, Math.min(all.length - 1, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

list.addEventListener("focusin", (event) => {
  const row = (event.target as Element).closest("#jobs-rows tr");
  if (row) remembered = row.id;
});

registerKey("j", "Next job", () => step(1));
registerKey("k", "Previous job", () => step(-1));
registerKey("x", "Select the job, or not", () => {
  const box = current()?.querySelector<HTMLInputElement>("[data-pick]");
  if (!box) return;
  toggle(box, !box.checked);
  show();
});
registerKey("o", "Open the job", () => current()?.querySelector<HTMLElement>(".job-link")?.click());
registerKey("m", "Menu of the job", () => {
  const button = current()?.querySelector<HTMLElement>("[data-row-menu]");
  if (button) openMenu(button.closest<HTMLElement>("tr")!, button);
});
for (const [key, operation, words] of [
  ["c", "cancel", "Cancel the job"], ["p", "pause", "Pause the job"], ["r", "resume", "Resume or retry the job"],
] as const) {
  registerKey(key, words, () => {
    const job = current()?.dataset["job"];
    if (job) void operate(job, operation);
  });
}
registerKey("a", "Select all jobs of this page", () => pickPage(true));
// Not in the registry, which would take the key from menus and dialogs: they close first.
document.addEventListener("keydown", (event) => {
  const isOver = document.querySelector(".menu:popover-open, dialog:modal") !== null;
  const isField = (event.target as Element).matches("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape" && !event.defaultPrevented && !isOver && !isField) clear();
});
registerKey("n", "Show the new jobs", () => {
  const button = document.getElementById("show-new");
  if (button && !button.hidden) button.click();
});
registerKey("u", "Refresh the list", () => void reload());
