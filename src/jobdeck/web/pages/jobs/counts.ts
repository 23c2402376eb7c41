// How many jobs there are. A search shows its rows first and asks for the counts afterwards; until they are there, the
// old ones keep their places, so that nothing moves.

import { showProblem } from "../../assets/api.ts";
import { morph } from "../../assets/morph.ts";
import { numbers } from "../../assets/numbers.ts";
import { fragment, parsed } from "../../assets/fragment.ts";

const tabs = (): HTMLElement | null => document.getElementById("jobs-tabs");
const foot = (): HTMLElement | null => document.getElementById("jobs-foot");
const places = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>("#jobs .counted")];
let asking: AbortController | undefined;

/** Remember the counts; what is returned puts them where the list has come without. `same`: the same jobs match as before. */
export function holdCounts(same: boolean): () => void {
  const texts = places().map((place) => place.textContent);
  const total = foot()?.dataset["total"];
  return () => {
    for (const [at, place] of places().entries()) {
      if (place.closest("[data-counting]") && texts[at]) place.textContent = texts[at];
    }
    const mine = foot();
    if (same && mine && total && !mine.dataset["total"]) mine.dataset["total"] = total;
  };
}

/** Nobody wants the answer any more: the list goes elsewhere. */
export function stopCounting(): void {
  asking?.abort();
  asking = undefined;
}

/** Ask for the counts where the list has come without. */
export async function count(): Promise<void> {
  if (asking || !tabs()?.hasAttribute("data-counting")) return;
  const mine = new AbortController();
  asking = mine;
  try {
    const found = parsed(await fragment(`/jobs/counts${location.search}`, { signal: mine.signal }));
    if (mine.signal.aborted) return;
    putCounts(found);
    document.getElementById("jobs")?.dispatchEvent(new CustomEvent("jobs:changed", { bubbles: true }));
  } catch (error) {
    if (!mine.signal.aborted) showProblem(error);
  } finally {
    if (asking === mine) asking = undefined;
  }
}

/** Show the counts of an answer of the server. */
export function putCounts(found: Document): void {
  stopCounting();
  const fresh = found.getElementById("jobs-tabs");
  const mine = tabs();
  if (fresh && mine) morph(mine, fresh.outerHTML);
  const total = found.getElementById("jobs-news")?.dataset["total"];
  const place = foot();
  if (!total || !place) return;
  place.dataset["total"] = total;
  place.querySelector(".pagination-text")?.removeAttribute("data-counting");
  document.getElementById("jobs-total")!.textContent = numbers.format(Number(total));
  document.getElementById("jobs-noun")!.textContent = total === "1" ? "job" : "jobs";
}
