// Parts of a page that keep themselves up to date, said in HTML alone:
//   <section id="summary" data-live-src="/jobs/12" data-live-jobs="12"> … </section>
// When an event comes that concerns it, the part is fetched (as a fragment) and morphed into what it was.
//   data-live-jobs="12 13"     events of these jobs;      data-live-project="default"  of this project;  else all
//   data-live-events="job.a b" only events of these kinds
//   data-live-wait="2000"      at least so many ms between two fetches (1000)
//   data-live-every="1000"     fetch every so many ms, whatever happens

import { problemOf, showProblem, Problem } from "./api.ts";
import { asFragment } from "./fragment.ts";
import { live } from "./live.ts";
import { morph } from "./morph.ts";
import { setServerClock } from "./times.ts";
import { rooted } from "./root.ts";

const GATHER = 120; // events come in bursts
const WAIT = 1000;

class Region {
  private timer = 0;
  private busy = false;
  private again = false;
  private last = 0;
  private every = 0;
  private clock = 0;

  constructor(readonly element: HTMLElement) {}

  /** Fetch soon; many calls make one fetch. */
  soon(): void {
    if (this.busy || document.hidden) {
      this.again = true;
      return;
    }
    if (this.timer) return;
    const wait = Number(this.element.dataset["liveWait"] ?? (this.every || WAIT));
    const pause = Math.max(GATHER, this.last + wait - performance.now());
    this.timer = window.setTimeout(() => void this.now(), pause);
  }

  /** Fetch by the clock for as long as the element says so; 0: no more. */
  tick(every = Number(this.element.dataset["liveEvery"] ?? 0)): void {
    if (every === this.every) return;
    window.clearInterval(this.clock);
    this.every = every;
    if (every) this.clock = window.setInterval(() => this.soon(), every);
  }

  async now(): Promise<void> {
    window.clearTimeout(this.timer);
    this.timer = 0;
    const src = this.element.dataset["liveSrc"];
    if (!src || !this.element.isConnected) return;
    this.busy = true;
    try {
      await fetchInto(this.element, src);
    } catch (error) {
      // A connection that is lost is told of in the header, and healed from there.
      if (error instanceof Problem && error.document.status !== 401 && error.document.status < 500) this.gone(error);
    } finally {
      this.busy = false;
      this.last = performance.now();
    }
    if (this.again) this.more();
  }

  /** What was put off while the page could not be seen, or while a fetch was under way. */
  more(): void {
    if (!this.again || document.hidden) return;
    this.again = false;
    this.soon();
  }

  private gone(problem: Problem): void {
    const told = this.element.dispatchEvent(new CustomEvent("live:gone", { bubbles: true, cancelable: true, detail: problem }));
    if (told) showProblem(problem);
  }
}

const regions = new Map<HTMLElement, Region>();

/** Fetch `src` as a fragment and morph `element` into it. Throws Problem when the server says no. */
export async function fetchInto(element: HTMLElement, src: string): Promise<void> {
  const answer = await fetch(rooted(src), { headers: asFragment(), credentials: "same-origin" });
  if (!answer.ok) throw new Problem(await problemOf(answer));
  setServerClock(answer.headers.get("date"));
  const html = await answer.text();
  if (element.isConnected) morph(element, html);
}

/** Read a live part again now. */
export function refresh(element: HTMLElement): Promise<void> {
  return regions.get(element)?.now() ?? fetchInto(element, element.dataset["liveSrc"] ?? location.href);
}

/** Read all live parts of the page again. */
export function refreshAll(): void {
  regions.forEach((region) => region.soon());
}

function setUp(element: HTMLElement): () => void {
  const region = new Region(element);
  regions.set(element, region);
  const stop = live.subscribe({}, (event) => {
    // Read anew each time: a morph may have changed what the part is about.
    const { liveJobs, liveProject, liveEvents } = element.dataset;
    if (liveJobs !== undefined && !liveJobs.split(" ").includes(String(event.job))) return;
    if (liveProject && event.project !== null && event.project !== liveProject) return;
    if (liveEvents !== undefined && !liveEvents.split(" ").includes(event.kind)) return;
    region.soon();
  });
  return () => {
    stop();
    region.tick(0);
    regions.delete(element);
  };
}

const ends = new Map<HTMLElement, () => void>();

function look(): void {
  for (const [element, end] of ends) {
    if (!element.isConnected || !element.dataset["liveSrc"]) {
      end();
      ends.delete(element);
    }
  }
  for (const element of document.querySelectorAll<HTMLElement>("[data-live-src]")) {
    if (!ends.has(element)) ends.set(element, setUp(element));
    regions.get(element)?.tick();
  }
}

document.addEventListener("morphed", look);
document.addEventListener("visibilitychange", () => regions.forEach((region) => region.more()));
live.onResync(refreshAll);
look();

