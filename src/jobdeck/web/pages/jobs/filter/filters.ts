// The forms of filters: opened from the menu or from a chip, applied by going to another address.

import { Problem, showProblem } from "../../../assets/api.ts";
import { localTime } from "../bulk/bulk.ts";
import { fragment } from "../../../assets/fragment.ts";
import { address, list, load } from "../navigate.ts";
import { now } from "../../../assets/times.ts";

const box = document.getElementById("filter-form")!;
let opener: HTMLElement | null = null;

async function open(key: string, by: HTMLElement): Promise<void> {
  try {
    box.innerHTML = await fragment(`/jobs/filter/${key}${location.search}`);
  } catch (error) {
    return showProblem(error);
  }
  for (const field of box.querySelectorAll<HTMLInputElement>("input[data-moment]")) {
    const at = moment(field.dataset["moment"] ?? "");
    if (at) field.value = localTime(at);
  }
  for (const zone of box.querySelectorAll("[data-time-zone]")) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  opener = by;
  const at = by.getBoundingClientRect();
  box.showPopover();
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
  box.style.top = `${at.bottom + 4 + box.offsetHeight <= innerHeight - 8 ? at.bottom + 4 : Math.max(8, innerHeight - box.offsetHeight - 8)}px`;
  box.querySelector<HTMLElement>("input, button")?.focus({ preventScroll: true });
}

/** A bound as a moment: `12h` is so long ago, now. */
function moment(text: string): string {
  const span = /^(\d+)([mhdw])$/.exec(text);
  if (!span) return text;
  const unit = { m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3 }[span[2]!]!;
  return new Date(now() - Number(span[1]) * unit).toISOString();
}

async function apply(changes: Record<string, string | null>): Promise<void> {
  try {
    await load(address(changes));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const place = box.querySelector<HTMLElement>(".form-error")!;
    place.hidden = false;
    place.textContent = error.document.detail;
    return;
  }
  box.hidePopover();
  list.querySelector<HTMLElement>("[popovertarget=filter-menu]")?.focus({ preventScroll: true });
}

function valuesOf(form: HTMLFormElement): Record<string, string | null> {
  const found: Record<string, string | null> = {};
  const data = new FormData(form);
  for (const name of (form.dataset["names"] ?? "").split(" ")) {
    const field = form.elements.namedItem(name);
    const values = data.getAll(name).map((value) => String(value).trim()).filter(Boolean);
    const isTime = field instanceof HTMLInputElement && field.type === "datetime-local";
    found[name] = values.map((value) => (isTime ? new Date(value).toISOString() : value)).join(",") || null;
  }
  return found;
}

box.addEventListener("submit", (event) => {
  event.preventDefault();
  void apply(valuesOf(event.target as HTMLFormElement));
});
box.addEventListener("click", (event) => {
  const target = event.target as Element;
  const names = (box.querySelector("form")?.dataset["names"] ?? "").split(" ");
  const empty = Object.fromEntries(names.map((name) => [name, null]));
  const span = target.closest<HTMLElement>("[data-span]");
  if (span) void apply({ ...empty, [names[0]!]: span.dataset["span"]! });
  else if (target.closest("[data-remove]")) void apply(empty);
});
box.addEventListener("toggle", (event) => {
  if ((event as ToggleEvent).newState === "closed" && box.contains(document.activeElement)) opener?.focus();
});
list.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-filter]");
  if (!button) return;
  event.preventDefault();
  const menu = button.closest<HTMLElement>(".menu");
  const by = menu ? document.querySelector<HTMLElement>(`[popovertarget="${menu.id}"]`)! : button;
  void open(button.dataset["filter"]!, by).then(() => menu?.hidePopover());
});
