// Links to yesterday: the day before today in the zone of the one who looks, which the server does not know.

import { now } from "./times.ts";

const text = (at: Date): string => at.toISOString().replace(".000", "");

function put(link: HTMLAnchorElement): void {
  const [since, until] = link.dataset["yesterday"]!.split(" ");
  const today = new Date(now());
  today.setHours(0, 0, 0, 0);
  const before = new Date(today);
  before.setDate(before.getDate() - 1);
  const url = new URL(link.href);
  url.searchParams.set(since!, text(before));
  url.searchParams.set(until!, text(today));
  link.href = url.pathname + url.search.replaceAll("%3A", ":");
}

// Just before it is followed, in whatever way: fragments come and go, and so do days.
for (const kind of ["pointerdown", "focusin", "click"]) {
  document.addEventListener(kind, (event) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[data-yesterday]") : null;
    if (link) put(link);
  }, { capture: true });
}
