// Lines of a log: asked of the server, and as elements.

import { Problem, problemOf } from "../../../assets/api.ts";
import { rooted } from "../../../assets/root.ts";

export interface Line {
  n: number;
  c: string;
  at: number;
  level: string;
  step: string | null;
  task: number | null;
  text: string;
}

export interface Slice {
  lines: Line[];
  /** To go on behind the last line that was looked at. */
  next: string | null;
  /** Lines wait there. */
  more: boolean;
  /** From where to look for lines in front of all that was looked through; null: there are none. An answer may have
   * no line that fits, and those that follow may have some. */
  earlier: string | null;
  /** Lines may come yet. */
  live: boolean;
  total: number;
}

export type Where = Record<string, string | string[]>;

/** `src` with what is asked for. */
export function addressOf(src: string, where: Where, place: Record<string, string>): URL {
  const url = new URL(rooted(src), location.href);
  for (const [name, value] of Object.entries({ ...where, ...place })) {
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, one);
  }
  return url;
}

/** Lines of the log; throws Problem. */
export async function readLines(src: string, where: Where, place: Record<string, string>): Promise<Slice> {
  return (await askLog(addressOf(src, where, place))) as Slice;
}

/** What the server answers; throws Problem. */
export async function askLog(url: URL): Promise<unknown> {
  let answer: Response;
  try {
    answer = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  } catch {
    throw new Problem({ status: 0, code: "unreachable", detail: "Jobdeck cannot be reached just now.", hint: "The log goes on by itself once it can." });
  }
  if (!answer.ok) throw new Problem(await problemOf(answer));
  return answer.json();
}

/** Levels as they stand in front of a line: what colour tells is told by a word, too. */
const LEVELS: Record<string, string> = { debug: "debug", info: "info", warning: "WARN", error: "ERROR", stdout: "out", stderr: "err" };

// Programs colour their output for terminals.
const COLOURS = /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]{0,1000}(?:\u0007|\u001b\\)|\u001b[()][0-9A-B]/g;
const CLOCK = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** What finds `q` in a text, whatever the case; undefined for none. */
export function finder(q: string): RegExp | undefined {
  return q ? new RegExp(q.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi") : undefined;
}

/** A line as an element. */
export function lineElement(line: Line, find: RegExp | undefined): HTMLElement {
  const row = document.createElement("div");
  row.className = `log-line level-${line.level}`;
  row.id = `L${line.n}`;
  row.dataset["c"] = line.c;
  const number = document.createElement("a");
  number.href = `#L${line.n}`;
  number.textContent = String(line.n);
  number.tabIndex = -1; // thousands of stops for Tab help nobody
  const time = document.createElement("time");
  const at = new Date(line.at);
  time.dateTime = at.toISOString();
  time.textContent = CLOCK.format(at);
  time.title = FULL.format(at);
  const level = document.createElement("span");
  level.className = "log-level";
  level.textContent = LEVELS[line.level] ?? line.level;
  row.append(number, time, level);
  if (line.step !== null) {
    const who = document.createElement("span");
    who.className = "log-who";
    who.textContent = line.task === null ? line.step : `${line.step}[${line.task}]`;
    row.append(who);
  }
  const text = document.createElement("span");
  text.className = "log-text";
  text.textContent = line.text.replace(COLOURS, "");
  mark(text, find);
  row.append(text);
  return row;
}

/** A line as text: when, what, whose, and the text itself. */
export function lineText(row: HTMLElement): string {
  const part = (selector: string): string => row.querySelector(selector)?.textContent ?? "";
  const at = new Date(row.querySelector("time")?.dateTime ?? 0);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return [`${day} ${CLOCK.format(at)}`, part(".log-level").toUpperCase().padEnd(5), part(".log-who"), part(".log-text")].filter(Boolean).join(" ");
}

const two = (n: number): string => String(n).padStart(2, "0");

/** Mark what `find` finds in the text of a line, and nothing else. */
export function mark(element: HTMLElement, find: RegExp | undefined): void {
  const text = element.textContent ?? "";
  if (!find) {
    if (element.firstElementChild) element.textContent = text;
    return;
  }
  const parts: (string | Node)[] = [];
  let end = 0;
  for (const found of text.matchAll(find)) {
    const marked = document.createElement("mark");
    marked.textContent = found[0];
    parts.push(text.slice(end, found.index), marked);
    end = found.index + found[0].length;
  }
  if (end > 0 || element.firstElementChild) element.replaceChildren(...parts, text.slice(end));
}
