// Times in the zone of the one who looks: "3 min ago", the exact time on hover. Durations that go on, go on.

import { duration } from "./durations.ts";
import { meta } from "./session.ts";

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const DAY_TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DATE = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DATE_YEAR = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [[60, "second"], [3600, "minute"], [86400, "hour"], [86400 * 7, "day"]];

/** Milliseconds by which the server's clock is ahead of this one; at first, as the page itself says it. */
let ahead = difference(Number(meta("server-time") || Number.NaN), arrivedAt());

/** Let times be told by the server's clock: `date` is the Date header of an answer that has just come. */
export function setServerClock(date: string | null): void {
  const told = date ? Date.parse(date) : Number.NaN;
  if (!Number.isNaN(told)) ahead = difference(told, Date.now());
}

/** A header has whole seconds, so what is less than two apart says nothing. */
function difference(server: number, here: number): number {
  return Number.isNaN(server) || Math.abs(server - here) < 2000 ? 0 : server - here;
}

/** When the page came, by this browser's clock. */
function arrivedAt(): number {
  const [loading] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return Date.now() - performance.now() + (loading?.responseStart ?? 0);
}

export const now = (): number => Date.now() + ahead;

/** "just now", "3m ago", "yesterday"; further back, the date. */
export function relative(at: number): string {
  const seconds = (at - now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return "just now";
  let unit = 1;
  for (const [limit, name] of STEPS) {
    if (size < limit) return RELATIVE.format(Math.trunc(seconds / unit), name);
    unit = limit === 86400 * 7 ? unit : limit;
  }
  return new Date(at).getFullYear() === new Date().getFullYear() ? DATE.format(at) : DATE_YEAR.format(at);
}

export const exact = (at: number): string => EXACT.format(at);

function put(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function showTime(element: HTMLTimeElement): void {
  const at = Date.parse(element.dateTime);
  if (Number.isNaN(at)) return;
  const mode = element.dataset["at"];
  put(element, mode === "exact" ? exact(at) : mode === "clock" ? DAY_TIME.format(at) : relative(at));
  const title = exact(at);
  if (element.title !== title) element.title = title;
}

function showDuration(element: HTMLElement): void {
  const since = Date.parse(element.dataset["since"] ?? "");
  const before = Number(element.dataset["seconds"] ?? 0);
  if (!Number.isNaN(since)) put(element, duration(before + Math.max(0, (now() - since) / 1000)));
}

/** Bring all times below `root` up to date. */
export function showTimes(root: ParentNode = document): void {
  root.querySelectorAll<HTMLTimeElement>("time[data-at]").forEach(showTime);
  root.querySelectorAll<HTMLElement>("[data-since]").forEach(showDuration);
}

setInterval(() => { if (!document.hidden) showTimes(); }, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) showTimes(); });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
document.querySelectorAll("[data-time-zone]").forEach((element) => { element.textContent = zone; });
showTimes();
