// What can be done to one job: its buttons, its menu, and the question first where something is lost.

import { api, Problem, showProblem } from "../../api.ts";
import { ask, type Question } from "../../confirm.ts";
import { icon } from "../../icons.ts";
import { toast } from "../../toasts.ts";
import { list } from "./navigate.ts";
import { syncNow } from "./sync.ts";
import { rooted } from "../../root.ts";

interface Verb {
  text: string;
  symbol: string;
  done: string;
  danger?: boolean;
  question?: (job: string) => Question;
}

const VERBS: Record<string, Verb> = {
  pause: { text: "Pause", symbol: "pause", done: "is being paused" },
  resume: { text: "Resume", symbol: "play", done: "is in the queue again" },
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

/** Open the menu of a row beside `by`. */
export function openMenu(row: HTMLElement, by: HTMLElement): void {
  const job = row.dataset["job"]!;
  const href = row.querySelector<HTMLAnchorElement>(".job-link")!.href;
  menu.replaceChildren(link("View details", "info", href));
  menu.setAttribute("aria-label", `Actions of job ${job}`);
  const line = document.createElement("hr");
  menu.append(line);
  for (const [operation, why] of actionsOf(row)) {
    const verb = VERBS[operation];
    if (!verb) continue;
    const text = operation === "resume" && row.dataset["state"] === "failed" ? "Retry (resume)" : verb.text;
    const made = item(text, verb.symbol, why, verb.danger);
    made.addEventListener("click", () => {
      if (why) return;
      menu.hidePopover();
      void operate(job, operation);
    });
    menu.append(made);
  }
  menu.append(document.createElement("hr"), link("Run again with changes", "again", `/run/${encodeURIComponent(row.dataset["type"]!)}?from=${job}${projectOf(href)}`));
  const copy = item("Copy the id", "copy", "");
  copy.dataset["copy"] = job;
  copy.addEventListener("click", () => menu.hidePopover());
  menu.append(copy);
  opener = by;
  by.setAttribute("aria-expanded", "true");
  menu.showPopover();
  place(by);
  menu.querySelector<HTMLElement>("[role=menuitem]")?.focus({ preventScroll: true });
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
