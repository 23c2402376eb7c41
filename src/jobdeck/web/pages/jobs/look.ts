// Which columns are shown and how dense: as the address says, and where it says nothing, as this browser prefers. What
// differs from how the list comes is put into the address, so that a copied link shows the same. Where there is no room
// for all chosen columns, some give way.

import { prefer, preference } from "../../assets/preferences.ts";
import { address, go, list } from "./navigate.ts";

const root = document.documentElement;
const form = document.getElementById("columns-form") as HTMLFormElement | null;
const CARDS = matchMedia("(max-width: 720px)");
const COMPACT = "compact";

let fitted = -1; // the width that the columns were chosen for

const boxes = (): HTMLInputElement[] => [...(form?.querySelectorAll<HTMLInputElement>("[name=column]") ?? [])];
const isExtra = (box: HTMLInputElement): boolean => "extra" in box.dataset;
const given = (name: string): string => new URLSearchParams(location.search).get(name) ?? "";

/** The columns that are chosen, by their keys; those that a page of one project cannot offer are as they come. */
export const shownColumns = (): string[] =>
  ["job", ...(form?.querySelector("[value=project]") ? [] : ["project"]), ...boxes().filter((box) => box.checked).map((box) => box.value)];

export const shownDensity = (): string => (root.dataset["density"] === "comfortable" ? "comfortable" : COMPACT);

/** What is kept in this browser and in short: what differs from how the list comes, "-subject +tags". */
const differences = (): string =>
  boxes().filter((box) => box.checked === isExtra(box)).map((box) => `${box.checked ? "+" : "-"}${box.value}`).join(" ");

/** The address that shows exactly this, whoever opens it. */
export const exactAddress = (): string => address({ ...place(), columns: shownColumns().join(","), density: shownDensity() });

const place = (): Record<string, string | null> => ({ cursor: given("cursor") || null, before: given("before") || null });

/** Tick the boxes as the address says, else as preferred. */
function tick(): void {
  const asked = given("columns").split(",").filter(Boolean);
  const preferred = preference("jobs-columns").split(" ").filter(Boolean);
  for (const box of boxes()) {
    if (asked.length) box.checked = asked.includes(box.value);
    else box.checked = isExtra(box) ? preferred.includes(`+${box.value}`) : !preferred.includes(`-${box.value}`);
  }
}

function applyDensity(density: string): void {
  if (density === "comfortable") root.dataset["density"] = density;
  else delete root.dataset["density"];
  for (const radio of form?.querySelectorAll<HTMLInputElement>("[name=density]") ?? []) {
    radio.checked = radio.value === (density || COMPACT);
  }
}

/** Take out what there is no room for, the least important first; the column that the list is sorted by goes last. */
function fit(): void {
  const chosen = boxes().filter((box) => box.checked).map((box) => box.value);
  const left = leftOut(chosen);
  fitted = list.clientWidth;
  say("jobsHide", boxes().filter((box) => !isExtra(box) && (!box.checked || left.includes(box.value))).map((box) => box.value).join(" "));
  say("jobsShow", boxes().filter((box) => isExtra(box) && box.checked && !left.includes(box.value)).map((box) => box.value).join(" "));
  say("jobsFit", "");
  const note = document.getElementById("columns-left-out");
  if (!note) return;
  const names = boxes().filter((box) => left.includes(box.value)).map((box) => box.closest("label")?.textContent?.trim());
  note.hidden = names.length === 0;
  note.textContent = names.length ? `There is no room here for ${names.join(", ")}.` : "";
}

/** Say it to the styles, which look at every cell again whenever it is said. */
function say(name: string, value: string): void {
  if (root.dataset[name] !== value) root.dataset[name] = value;
}

function leftOut(chosen: string[]): string[] {
  const heads = new Map([...list.querySelectorAll<HTMLElement>("table.jobs th")].map((head) => [keyOf(head), head]));
  if (CARDS.matches || heads.size === 0) return [];
  const width = (head: HTMLElement) => Number(getComputedStyle(head).getPropertyValue("--w"));
  const room = list.clientWidth / Number.parseFloat(getComputedStyle(root).fontSize);
  const always = [...heads].filter(([key]) => key === "pick" || key === "job" || key === "actions" || chosen.includes(key));
  let needed = always.reduce((sum, [, head]) => sum + width(head), 0);
  const rank = (head: HTMLElement) => Number(head.dataset["yields"]) + (head.hasAttribute("aria-sort") ? 100 : 0);
  const left: string[] = [];
  for (const [key, head] of always.filter(([, head]) => head.dataset["yields"]).sort(([, a], [, b]) => rank(a) - rank(b))) {
    if (needed <= room) break;
    needed -= width(head);
    left.push(key);
  }
  return left;
}

const keyOf = (head: HTMLElement): string => [...head.classList].find((name) => name.startsWith("c-"))?.slice(2) ?? "pick";

/** Put what is preferred into the address where it says nothing, so that it says what is shown. */
function stamp(): void {
  const changes: Record<string, string> = {};
  if (!given("columns") && differences()) changes["columns"] = shownColumns().join(",");
  if (!given("density") && shownDensity() !== COMPACT) changes["density"] = shownDensity();
  if (Object.keys(changes).length) history.replaceState(history.state, "", address({ ...place(), ...changes }));
}

function apply(): void {
  tick();
  applyDensity(given("density") || preference("density"));
  fit();
  stamp();
}

form?.addEventListener("change", (event) => {
  const control = event.target as HTMLInputElement;
  if (control.name === "density") {
    prefer("density", control.value === COMPACT ? "" : control.value);
    applyDensity(control.value);
  } else prefer("jobs-columns", differences());
  fit();
  const columns = differences() ? shownColumns().join(",") : null;
  void go(address({ ...place(), columns, density: shownDensity() === COMPACT ? null : shownDensity() }), "replace");
});

list.addEventListener("jobs:went", apply);
list.addEventListener("jobs:more", fit);
new ResizeObserver(() => { if (list.clientWidth !== fitted) fit(); }).observe(list);
CARDS.addEventListener("change", fit);
apply();
