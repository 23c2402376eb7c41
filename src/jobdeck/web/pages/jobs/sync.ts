// What happens on the server, on this page: rows change where they are, counts with them, and new jobs wait behind a
// button, so that nothing moves under the hand of the one who reads.

import { Problem } from "../../assets/api.ts";
import { live, type LiveEvent } from "../../assets/live.ts";
import { morph } from "../../assets/morph.ts";
import { exact, now, showTimes } from "../../assets/times.ts";
import { prefer, preference } from "../../assets/preferences.ts";
import { putCounts } from "./counts.ts";
import { fragment, parsed } from "../../assets/fragment.ts";
import { go, isBusy, list, reload, type Went } from "./navigate.ts";

const GATHER = 120; // events come in bursts
const BETWEEN = 600; // at least, from one answer to the next question
const SAY_EVERY = 6000;
const MOST_NEW = 50;
/** What may move other jobs in the line, and ms until their places are asked for: what happened itself comes first. */
const MOVES = new Set(["submitted", "started", "succeeded", "failed", "canceled", "paused", "resumed", "restarted", "deleted", "reprioritized"]);
const PLACES = 1000;

const rows = (): HTMLElement[] => [...list.querySelectorAll<HTMLElement>("tr[data-job]")];
const rowOf = (job: number): HTMLElement | null => document.getElementById(`job-${job}`);

let changed = new Set<number>();
let others = false; // something happened to jobs that are not on this page
let timer = 0;
let busy = false;
let last = -BETWEEN;
let fetched = now();

const mode = (): string => preference("jobs-refresh") || "live";

function onEvent(event: LiveEvent): void {
  if (mode() !== "live") return;
  if (event.job === null) return;
  const project = new URLSearchParams(location.search).get("project");
  if (project && event.project !== null && event.project !== project) return;
  if (MOVES.has(event.kind)) askPlaces();
  if (rowOf(event.job)) changed.add(event.job);
  else if (event.id > 0) others = true;
  else return;
  soon();
}

let placing = 0;

/** The places of jobs in a line change by what happens to others. */
function askPlaces(): void {
  if (placing || !list.querySelector(".job-place")) return;
  placing = window.setTimeout(() => {
    placing = 0;
    for (const place of list.querySelectorAll(".job-place")) changed.add(Number(place.closest<HTMLElement>("tr")!.dataset["job"]));
    soon();
  }, PLACES);
}

function soon(): void {
  if (timer || busy || document.hidden) return;
  timer = window.setTimeout(() => void sync(), Math.max(GATHER, last + BETWEEN - performance.now()));
}

/** Ask for what has changed and put it in its place. */
async function sync(): Promise<void> {
  window.clearTimeout(timer);
  timer = 0;
  if (busy) return;
  if (isBusy()) {
    timer = window.setTimeout(() => void sync(), GATHER);
    return;
  }
  const asked = changed;
  const here = location.search;
  changed = new Set();
  others = false;
  busy = true;
  try {
    const query = new URLSearchParams(here);
    query.set("shown", rows().map((row) => row.dataset["job"]).join(","));
    query.set("changed", [...asked].filter((job) => rowOf(job)).join(","));
    const found = parsed(await fragment(`/jobs/changes?${query}`));
    // Somebody has gone elsewhere meanwhile: that list is newer than this answer.
    if (location.search === here && !isBusy()) put(found, asked);
  } catch (error) {
    // Not answered: they are asked for again when the connection heals. Refused: there is nothing to ask for.
    if (!(error instanceof Problem) || error.document.status === 0 || error.document.status >= 500) asked.forEach((job) => changed.add(job));
  } finally {
    busy = false;
    last = performance.now();
  }
  if ((changed.size || others) && live.state === "live") soon();
}

function put(found: Document, asked: Set<number>): void {
  fetched = now();
  putCounts(found);
  for (const fresh of found.querySelectorAll<HTMLElement>("tr[data-job]")) {
    const row = document.getElementById(fresh.id);
    asked.delete(Number(fresh.dataset["job"]));
    if (!row) continue;
    const before = row.dataset["state"];
    putRow(row as HTMLTableRowElement, fresh as HTMLTableRowElement);
    if (before === fresh.dataset["state"]) continue;
    flash(fresh.id);
    unsaid.set(fresh.dataset["job"]!, fresh.dataset["state"]!);
  }
  // What was asked for and is not in the answer is not there any more.
  for (const job of asked) gone(job);
  const news = found.getElementById("jobs-news")?.dataset ?? {};
  offer(Number(news["new"] ?? 0));
  say();
  list.dispatchEvent(new CustomEvent("jobs:changed", { bubbles: true }));
}

/** Bring a row to what the server says, cell by cell: what is the same is not touched. */
function putRow(row: HTMLTableRowElement, fresh: HTMLTableRowElement): void {
  showTimes(fresh);
  for (const { name, value } of fresh.attributes) if (name !== "class") row.setAttribute(name, value);
  row.classList.toggle("left", fresh.classList.contains("left"));
  for (const [at, cell] of [...fresh.cells].entries()) {
    const mine = row.cells[at];
    if (mine && !mine.isEqualNode(cell)) morph(mine, cell.innerHTML);
  }
}

function flash(id: string): void {
  const row = document.getElementById(id);
  row?.classList.add("changed");
  window.setTimeout(() => row?.classList.remove("changed"), 1800);
}

function gone(job: number): void {
  const row = rowOf(job);
  if (!row) return;
  row.classList.add("left");
  row.title = "It was deleted.";
  row.querySelectorAll("button, input").forEach((control) => { (control as HTMLButtonElement).disabled = true; });
}

/** Say that there is more to see. */
function offer(count: number): void {
  const button = document.getElementById("show-new") as HTMLButtonElement | null;
  if (!button) return;
  button.hidden = count === 0;
  button.textContent = `${count >= MOST_NEW ? `${MOST_NEW}+` : count} new`;
  button.setAttribute("aria-label", `Show ${count} new ${count === 1 ? "job" : "jobs"}`);
}

let said = -SAY_EVERY;
let saying = 0;
const unsaid = new Map<string, string>(); // the state of each job that changed since

/** Tell those who listen to the page: at once, but not more often than one can hear. */
function say(): void {
  if (unsaid.size && !saying) saying = window.setTimeout(speak, Math.max(0, said + SAY_EVERY - performance.now()));
}

function speak(): void {
  saying = 0;
  said = performance.now();
  const [first, ...others] = [...unsaid].map(([job, state]) => `job ${job} ${state}`);
  unsaid.clear();
  document.getElementById("jobs-said")!.textContent = others.length ? `${others.length + 1} jobs changed` : first!;
}

/** Ask about every row. */
export function syncAll(): void {
  for (const row of rows()) if (!row.classList.contains("left")) changed.add(Number(row.dataset["job"]));
  others = true;
  soon();
}

/** Ask about one row at once, because something was just done to it. */
export function syncNow(job: number): void {
  changed.add(job);
  void sync();
}

// How often: as it happens, every so many seconds, or when asked.
let interval = 0;

function apply(): void {
  window.clearInterval(interval);
  const chosen = mode();
  for (const item of document.querySelectorAll<HTMLElement>("[data-refresh]")) {
    item.setAttribute("aria-checked", String(item.dataset["refresh"] === chosen));
  }
  const text = document.querySelector<HTMLElement>(`[data-refresh="${chosen}"]`)?.textContent ?? "";
  const opener = document.querySelector("[popovertarget=refresh-menu] span");
  if (opener) opener.textContent = text;
  if (Number(chosen)) interval = window.setInterval(syncAll, Number(chosen) * 1000);
  showAge();
}

/** While a page that has just come is not connected yet, it is as new as it can be. */
const NEW = 5000;
let connected = false;

function showAge(): void {
  const age = document.getElementById("jobs-age");
  if (!age) return;
  connected ||= live.state === "live";
  age.hidden = mode() === "live" && (live.state === "live" || (!connected && performance.now() < NEW));
  age.querySelector("time")!.textContent = exact(fetched).replace(/^.*, /, "");
}

document.getElementById("refresh-menu")?.addEventListener("click", (event) => {
  const item = (event.target as Element).closest<HTMLElement>("[data-refresh]");
  if (!item) return;
  prefer("jobs-refresh", item.dataset["refresh"]!);
  apply();
  if (mode() === "live") syncAll(); // at first the stream goes on behind what the page was made from
  document.getElementById("refresh-menu")!.hidePopover();
});
document.getElementById("refresh-now")?.addEventListener("click", () => void reload());
document.addEventListener("click", (event) => {
  if (!(event.target as Element).closest("#show-new")) return;
  void go(location.pathname + location.search, "none").then(() => scrollTo({ top: 0 }));
});
list.addEventListener("jobs:went", (event) => {
  void (event as CustomEvent<Went>);
  fetched = now();
  offer(0);
  showAge();
});
live.subscribe({}, onEvent);
live.onResync(() => { if (mode() === "live") syncAll(); });
live.onState(showAge);
window.setTimeout(showAge, NEW);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && (changed.size || others)) soon();
});
document.addEventListener("jobs:sync", syncAll);
addEventListener("pageshow", (event) => { if (event.persisted) syncAll(); });
apply();
