// What can be done to one job: its buttons, its menu, and the question first where something is lost.

import { api, Problem, showProblem } from "../../assets/api.ts";
import { ask, type Question } from "../../assets/confirm.ts";
import { icon } from "../../assets/icons.ts";
import { toast } from "../../assets/toasts.ts";
import { list } from "./navigate.ts";
import { syncNow } from "./sync.ts";
import { rooted } from "../../assets/root.ts";

interface Verb {
  text: string;
  symbol: string;
  done: string;
  danger?: boolean;
  question?: (job: string) => Question;
}

// In the order of the menu: what is lost for good stands at its end.
const VERBS: Record<string, Verb> = {
  resume: { text: "Resume", symbol: "play", done: "is in the queue again" },
  pause: { text: "Pause", symbol: "pause", done: "is being paused" },
  restart: {
    text: "Restart", symbol: "restart", done: "starts again",
    question: (job) => ({ title: `Restart job ${job}?`, text: "It begins again from its first step. Intermediate results are thrown away.", yes: "Restart it" }),
  },
  cancel: {
    text: "Cancel", symbol: "stop", done: "is being canceled", danger: true,
    question: (job) => ({ title: `Cancel job ${job}?`, text: "It ends for good, and what it half made is removed. This cannot be undone.", yes: "Cancel the job", danger: true }),
  },
  delete: {
    text: "Delete", symbol: "trash", done: "was deleted", danger: true,
    question: (job) => ({ title: `Delete job ${job}?`, text: "The job and all that was recorded about it are removed. This cannot be undone.", yes: "Delete the job", danger: true }),
  },
};
const HIGHEST = 9;

/** What the server allows: the empty text, or why not. */
export function actionsOf(row: HTMLElement): Map<string, string> {
  const parts = (row.dataset["actions"] ?? "").split("|").filter(Boolean);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]));
}

const rowOf = (job: string): HTMLElement | null => document.getElementById(`job-${job}`);

/** Do it, after asking where it cannot be undone. Where it is refused, say why. */
export async function operate(job: string, operation: string): Promise<void> {
  const verb = VERBS[operation];
  const row = rowOf(job);
  if (!verb) return;
  const why = row ? actionsOf(row).get(operation) : "";
  if (why) {
    toast({ tone: "warning", text: `Job ${job} cannot ${operation}: ${why}.` });
    return;
  }
  if (verb.question && !(await ask(verb.question(job)))) return;
  await carryOut(job, operation);
}

async function carryOut(job: string, operation: string, choice = ""): Promise<void> {
  const verb = VERBS[operation]!;
  const row = rowOf(job);
  row?.setAttribute("aria-busy", "true");
  try {
    await (operation === "delete" ? api("DELETE", `jobs/${job}${choice}`) : api("POST", `jobs/${job}/${operation}`));
    toast({ text: `Job ${job} ${verb.done}.`, tone: "success", seconds: 4 });
  } catch (error) {
    if (error instanceof Problem && error.document.code === "has_children" && !choice) {
      if (await ask({ title: `Delete job ${job} with its children?`, text: error.document.detail, yes: "Delete all of them", danger: true })) await carryOut(job, operation, "?children=true");
    } else {
      showProblem(error);
    }
  } finally {
    row?.removeAttribute("aria-busy");
    syncNow(Number(job));
  }
}

// One menu for all rows, filled when it is opened: rows stay light, and what changes beneath does not close it.
const menu = document.getElementById("row-menu")!;
let opener: HTMLElement | null = null;

function item(text: string, symbol: string, why: string, danger = false): HTMLElement {
  const made = document.createElement("button");
  made.type = "button";
  made.setAttribute("role", "menuitem");
  if (danger && !why) made.classList.add("danger");
  const label = document.createElement("span");
  label.textContent = text;
  if (why) {
    made.setAttribute("aria-disabled", "true");
    const note = document.createElement("span");
    note.className = "menu-note";
    note.textContent = why;
    label.append(document.createElement("br"), note);
  }
  made.append(icon(symbol), label);
  return made;
}

function link(text: string, symbol: string, href: string): HTMLElement {
  const made = document.createElement("a");
  made.setAttribute("role", "menuitem");
  made.href = rooted(href);
  made.append(icon(symbol), text);
  return made;
}

const projectOf = (href: string): string => new URL(href).search.replace("?", "&");

const rule = (): HTMLElement => document.createElement("hr");

/** An item that closes the menu and does something, or says why it does not. */
function act(text: string, symbol: string, why: string, run: () => void, danger = false): HTMLElement {
  const made = item(text, symbol, why, danger);
  made.addEventListener("click", () => {
    if (why) return;
    menu.hidePopover();
    run();
  });
  return made;
}

/** Open the menu of a row beside `by`. */
export function openMenu(row: HTMLElement, by: HTMLElement): void {
  const job = row.dataset["job"]!;
  const href = row.querySelector<HTMLAnchorElement>(".job-link")!.href;
  menu.setAttribute("aria-label", `Actions of job ${job}`);
  const copy = item("Copy the id", "copy", "");
  copy.dataset["copy"] = job;
  copy.addEventListener("click", () => menu.hidePopover());
  const operations = operationsOf(row);
  const calm = [...operations.calm, ...again(row, href), copy];
  menu.replaceChildren(link("View details", "info", href), rule(), ...calm, ...(operations.dangerous.length ? [rule(), ...operations.dangerous] : []));
  opener = by;
  by.setAttribute("aria-expanded", "true");
  menu.showPopover();
  place(by);
  menu.querySelector<HTMLElement>("[role=menuitem]")?.focus({ preventScroll: true });
}

/** What can be done; where everything is refused for one reason, that reason, once. */
function operationsOf(row: HTMLElement): { calm: HTMLElement[]; dangerous: HTMLElement[] } {
  const allowed = actionsOf(row);
  const job = row.dataset["job"]!;
  const reasons = new Set(Object.keys(VERBS).map((name) => allowed.get(name) ?? ""));
  const [only = ""] = reasons;
  if (reasons.size === 1 && only) return { calm: [item("Nothing can be done with it", "info", only)], dangerous: [] };
  const made = (name: string) => {
    const verb = VERBS[name]!;
    const text = name === "resume" && row.dataset["state"] === "failed" ? "Retry (resume)" : verb.text;
    return act(text, verb.symbol, allowed.get(name) ?? "", () => void operate(job, name), verb.danger);
  };
  const names = Object.keys(VERBS).filter((name) => allowed.has(name));
  return {
    calm: [...names.filter((name) => !VERBS[name]!.danger).map(made), ...moveUp(row)],
    dangerous: names.filter((name) => VERBS[name]!.danger).map(made),
  };
}

/** A job that waits may be moved up. */
function moveUp(row: HTMLElement): HTMLElement[] {
  if (row.dataset["state"] !== "pending") return [];
  const now = Number(row.dataset["priority"]);
  return [act("Move up in the line", "up", now >= HIGHEST ? "it has the highest priority already" : "", () => void raise(row.dataset["job"]!))];
}

async function raise(job: string): Promise<void> {
  try {
    const moved = await api<{ priority: number; wait: { text: string; number?: number | null }[] }>("PATCH", `jobs/${job}`, { priority: HIGHEST });
    const [why] = moved.wait;
    const place = why?.number ? (why.number === 1 ? " and is next in line" : ` and is number ${why.number} in line`) : " now";
    toast({ text: `Job ${job} has the highest priority${place}.`, hint: why?.text ?? null, tone: "success" });
  } catch (error) {
    showProblem(error);
  }
  syncNow(Number(job));
}

/** The same as on the page of the job. */
function again(row: HTMLElement, href: string): HTMLElement[] {
  if (!("submit" in menu.dataset)) return [];
  const job = row.dataset["job"]!;
  const form = `${menu.dataset["run"]}/${encodeURIComponent(row.dataset["type"]!)}?from=${job}${projectOf(href)}`;
  return [rule(), act("Run again", "again", "", () => void runAgain(job)), link("Run again with changes", "edit", form)];
}

async function runAgain(job: string): Promise<void> {
  const question = { title: `Run job ${job} again?`, text: "A new job with the same parameters is put into the queue.", yes: "Run it", no: "Do not run it" };
  if (!(await ask(question))) return;
  try {
    const made = await api<{ id: number }>("POST", `jobs/${job}/run-again`, {});
    toast({ text: `Job ${made.id} is in the queue.`, tone: "success", link: { text: "Open", href: rowOf(job)?.querySelector<HTMLAnchorElement>(".job-link")?.href.replace(`/jobs/${job}`, `/jobs/${made.id}`) ?? `/jobs/${made.id}` } });
  } catch (error) {
    showProblem(error);
  }
}

function place(by: HTMLElement): void {
  const at = by.getBoundingClientRect();
  const below = at.bottom + 4;
  menu.style.left = `${Math.max(8, at.right - menu.offsetWidth)}px`;
  menu.style.top = `${below + menu.offsetHeight <= innerHeight - 8 ? below : Math.max(8, at.top - menu.offsetHeight - 4)}px`;
}

menu.addEventListener("toggle", (event) => {
  if ((event as ToggleEvent).newState === "closed") opener?.setAttribute("aria-expanded", "false");
  if ((event as ToggleEvent).newState === "closed" && (document.activeElement === document.body || menu.contains(document.activeElement))) opener?.focus();
});

list.addEventListener("click", (event) => {
  const target = event.target as Element;
  const button = target.closest<HTMLElement>("[data-operation]");
  if (button) {
    button.closest<HTMLElement>("[popover]")?.hidePopover();
    void operate(button.dataset["job"]!, button.dataset["operation"]!);
    return;
  }
  const more = target.closest<HTMLElement>("[data-row-menu]");
  if (!more) return;
  // A click beside a menu closes it before it arrives here; on the button that opened it, that is all it does.
  if (pressedOpen) menu.hidePopover();
  else openMenu(more.closest<HTMLElement>("tr")!, more);
  pressedOpen = false;
});

let pressedOpen = false;
list.addEventListener("pointerdown", (event) => {
  const more = (event.target as Element).closest<HTMLElement>("[data-row-menu]");
  pressedOpen = more !== null && more === opener && menu.matches(":popover-open");
}, true);
