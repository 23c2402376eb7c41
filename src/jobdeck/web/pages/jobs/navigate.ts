// Filters, order and pages: each is an address. Going to one fetches the list and keeps the rest of the page.

import { showProblem } from "../../assets/api.ts";
import { forgetTouched, morph } from "../../assets/morph.ts";
import { showTimes } from "../../assets/times.ts";
import { count, holdCounts, stopCounting } from "./counts.ts";
import { fragment, parsed } from "../../assets/fragment.ts";
import { rooted } from "../../assets/root.ts";

const PATH = rooted("/jobs");
/** ms without a key before a search: less than most people take from one key to the next, more than a burst. */
const TYPING = 80;

export const list = document.getElementById("jobs")!;
let underWay: AbortController | undefined;
let shown = location.search;

export interface Went {
  /** The filters are other ones; else only the page, the order, or nothing is. */
  filtered: boolean;
}

/** The parts of an address that say which jobs it shows. */
export function filtersOf(search: string): string {
  const query = new URLSearchParams(search);
  for (const name of ["cursor", "before", "sort", "limit", "columns", "density"]) query.delete(name);
  query.sort();
  return query.toString();
}

type Place = "push" | "replace" | "none";

/** Show the list at `url`; `place` says whether that is a new place in the history, the present one, or one come back to.
 * Throws Problem. False where somebody has gone elsewhere meanwhile. */
export async function load(url: string, place: Place = "push"): Promise<boolean> {
  underWay?.abort();
  stopCounting();
  const mine = new AbortController();
  underWay = mine;
  list.classList.add("busy");
  list.setAttribute("aria-busy", "true");
  try {
    const html = await fragment(url, { signal: mine.signal });
    if (mine.signal.aborted) return false;
    if (place === "push") history.pushState({ jobs: true }, "", url);
    if (place === "replace") history.replaceState({ jobs: true }, "", url);
    show(html);
    return true;
  } catch (error) {
    if (mine.signal.aborted) return false;
    throw error;
  } finally {
    if (underWay === mine) {
      underWay = undefined;
      list.classList.remove("busy");
      list.removeAttribute("aria-busy");
      void count();
      void searchFurther();
    }
  }
}

function show(html: string): void {
  const filtered = filtersOf(shown) !== filtersOf(location.search);
  shown = location.search;
  if (document.activeElement !== searchField()) forgetTouched(list);
  const hold = holdCounts(!filtered);
  dropRows(html);
  morph(list, html);
  hold();
  list.dispatchEvent(new CustomEvent<Went>("jobs:went", { bubbles: true, detail: { filtered } }));
}

/** Rows none of which comes again need not be compared with those that come. */
function dropRows(html: string): void {
  const rows = [...list.querySelectorAll("#jobs-rows > tr")];
  if (!rows.some((row) => html.includes(`id="${row.id}"`))) rows.forEach((row) => row.remove());
}

/** As `load`, telling the person what went wrong. */
export async function go(url: string, place: Place = "push"): Promise<boolean> {
  try {
    return await load(url, place);
  } catch (error) {
    showProblem(error);
    return false;
  }
}

/** Read the list again where it is. */
export const reload = (): Promise<boolean> => go(location.pathname + location.search, "none");

export const isBusy = (): boolean => underWay !== undefined;

/** The address with parameters exchanged; null takes one out. Begins at the first page. */
export function address(changes: Record<string, string | null>): string {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries({ cursor: null, before: null, ...changes })) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%2F", "/");
  return text ? `${PATH}?${text}` : PATH;
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element).closest<HTMLAnchorElement>("a[data-go]");
  // Another project is another page: its frame says so.
  if (!link || projectOf(link.search) !== projectOf(location.search)) return;
  event.preventDefault();
  forgetTyping();
  const isPage = link.closest(".pagination") !== null;
  void go(link.getAttribute("href")!).then((went) => {
    if (went && isPage) scrollTo({ top: 0 });
  });
});

const projectOf = (search: string): string | null => new URLSearchParams(search).get("project");

addEventListener("popstate", () => {
  if (location.pathname !== PATH) return;
  forgetTyping();
  if (projectOf(shown) !== projectOf(location.search)) location.reload();
  else void go(location.pathname + location.search, "none");
});

// Search while typing: the first answer makes a new place in the history, the rest of the word stays there. An answer that
// was overtaken has made none.
const searchField = (): HTMLInputElement | null => list.querySelector<HTMLInputElement>("#jobs-search input");
let timer = 0;
let typed = false;

/** Somebody goes elsewhere: what was typed just before is no question any more, and would lead back from there. */
function forgetTyping(): void {
  window.clearTimeout(timer);
  typed = false;
}

function search(field: HTMLInputElement): void {
  window.clearTimeout(timer);
  const text = field.value.trim();
  if (text === (new URLSearchParams(location.search).get("q") ?? "")) return;
  void go(address({ q: text || null }), typed ? "replace" : "push").then((went) => {
    if (went) typed = document.activeElement === searchField();
  });
}

list.addEventListener("input", (event) => {
  const field = event.target as HTMLInputElement;
  if (field !== searchField()) return;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => search(field), TYPING);
});
list.addEventListener("focusout", (event) => { if (event.target === searchField()) typed = false; });
list.addEventListener("submit", (event) => {
  if ((event.target as HTMLElement).id !== "jobs-search") return;
  event.preventDefault();
  search(searchField()!);
});
list.addEventListener("keydown", (event) => {
  const field = searchField();
  if (event.target !== field || event.key !== "Escape" || !field) return;
  if (field.value) {
    event.preventDefault();
    field.value = "";
    search(field);
  } else field.blur();
});

// What takes long is answered piece by piece; the page asks on until it is full, the end is reached, or somebody says stop.
let stopped = "";

async function searchFurther(): Promise<void> {
  for (;;) {
    const place = list.querySelector<HTMLElement>("#further");
    const url = place?.dataset["further"];
    if (!place || !url || underWay || stopped === location.search) return;
    const here = location.search;
    let found: Document;
    try {
      found = parsed(await fragment(url));
    } catch {
      place.querySelector("[role=status]")!.textContent = "The search was interrupted.";
      return;
    }
    if (location.search !== here || !place.isConnected) return;
    take(found, place);
  }
}

/** Append what was found, and look on from there; once the page is full, the next one begins behind it. */
function take(found: Document, place: HTMLElement): void {
  const rows = [...found.querySelectorAll("#jobs-rows > tr")];
  const table = found.getElementById("jobs-table");
  let body = list.querySelector("#jobs-rows");
  if (body) body.append(...rows.filter((row) => !document.getElementById(row.id)).map((row) => document.importNode(row, true)));
  else if (table) place.before(document.importNode(table, true));
  body ??= list.querySelector("#jobs-rows");
  const further = found.getElementById("further")?.dataset["further"];
  if (further) place.dataset["further"] = further;
  else {
    const next = found.getElementById("jobs-next");
    if (next) list.querySelector(".pagination")?.append(document.importNode(next, true));
    const nothing = found.querySelector(".empty");
    if (!body && nothing) place.before(document.importNode(nothing, true));
    place.remove();
  }
  if (!rows.length) return;
  document.getElementById("jobs-shown")!.textContent = String(body?.children.length ?? 0);
  showTimes(list);
  list.dispatchEvent(new CustomEvent("jobs:more", { bubbles: true }));
}

list.addEventListener("click", (event) => {
  if (!(event.target as Element).closest("[data-stop-search]")) return;
  stopped = location.search;
  list.querySelector("#further")?.remove();
});
void count();
void searchFurther();
