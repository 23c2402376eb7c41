// Run again: as it was, after a question; or with edited parameters, whose difference is shown before anything runs.

import { api, Problem, showProblem } from "../../api.ts";
import { ask } from "../../confirm.ts";
import { forgetTouched } from "../../morph.ts";
import { head } from "./head.ts";
import { rooted } from "../../root.ts";

interface Change {
  path: string;
  kind: "added" | "removed" | "changed";
  old: unknown;
  new: unknown;
}

interface Plan {
  ok: boolean;
  changes: Change[];
  wait: { text: string }[];
  error: { message: string; hint: string | null } | null;
  preview: { text: string; refusals: { message: string; hint: string | null }[] } | null;
}

const PATIENCE = 350; // ms after the last key until the difference is asked for
const dialog = document.getElementById("job-again") as HTMLDialogElement;
const field = dialog.querySelector<HTMLTextAreaElement>("#job-again-params")!;
const shown = dialog.querySelector<HTMLElement>("#job-again-plan")!;
const yes = dialog.querySelector<HTMLButtonElement>("#job-again-yes")!;
const id = (): string => head().dataset["job"]!;
let timer = 0;
let asking: AbortController | undefined;

/** Where the page of another job is, in the project that is looked at. */
function pageOf(job: number): string {
  return `${rooted("/jobs")}/${job}${location.search.match(/[?&]project=[^&]+/)?.[0].replace("&", "?") ?? ""}`;
}

/** As it was. */
export async function runAgain(): Promise<void> {
  const agreed = await ask({
    title: `Run job ${id()} again?`, text: "A new job with the same parameters is put into the queue.", yes: "Run it", no: "Do not run it",
  });
  if (agreed) await submit({});
}

async function submit(body: object): Promise<void> {
  yes.disabled = true;
  try {
    const made = await api<{ id: number }>("POST", `jobs/${id()}/run-again`, body);
    location.assign(pageOf(made.id));
  } catch (error) {
    if (dialog.open && error instanceof Problem) tell([refused(error)]);
    else showProblem(error);
  } finally {
    yes.disabled = false;
  }
}

/** With changes. */
export function openAgain(): void {
  dialog.showModal();
  field.focus();
  if (field.value === "") {
    yes.disabled = true;
    void api<{ params: object }>("GET", `jobs/${id()}`).then((job) => {
      field.value = JSON.stringify(job.params, null, 2);
      forgetTouched(dialog);
      void compare();
    }, showProblem);
  } else void compare();
}

/** The parameters as they were typed; undefined, with the reason shown, where they are no JSON object. */
function params(): object | undefined {
  try {
    const typed: unknown = JSON.parse(field.value);
    if (typeof typed === "object" && typed !== null && !Array.isArray(typed)) return typed;
    tell([notice("error", "The parameters are an object: names and values in braces.")]);
  } catch (error) {
    tell([notice("error", `This is no JSON yet: ${(error as Error).message}`)]);
  }
  return undefined;
}

async function compare(): Promise<void> {
  asking?.abort();
  const typed = params();
  field.setAttribute("aria-invalid", String(typed === undefined));
  yes.disabled = true; // nothing runs whose difference was not shown
  if (typed === undefined) return;
  if (shown.childElementCount === 0) tell([element("p", "muted", "Comparing …")]);
  asking = new AbortController();
  const { signal } = asking;
  try {
    const plan = await api<Plan>("POST", `jobs/${id()}/run-again?dry_run=true`, { params: typed, replace: true }, signal);
    if (signal.aborted) return;
    tell(describe(plan));
    yes.disabled = false;
  } catch (error) {
    if (signal.aborted) return;
    // Where the dry run itself does not work, the job may.
    yes.disabled = !(error instanceof Problem) || error.document.status < 500;
    tell([error instanceof Problem ? refused(error) : notice("error", String(error))]);
  }
}

function describe(plan: Plan): HTMLElement[] {
  const parts = [plan.changes.length > 0 ? table(plan.changes) : notice("info", "Nothing is different from the old job.")];
  if (plan.error) parts.push(notice("error", `It would fail: ${plan.error.message}`, plan.error.hint));
  for (const refusal of plan.preview?.refusals ?? []) parts.push(notice("error", `It would fail: ${refusal.message}`, refusal.hint));
  if (plan.preview?.text) parts.push(notice("info", plan.preview.text));
  const [first] = plan.wait;
  if (first) parts.push(notice("info", `It would wait: ${first.text}`));
  return parts;
}

function refused(problem: Problem): HTMLElement {
  const errors = problem.document.errors ?? [];
  const text = errors.length > 0 ? errors.map((e) => `${e.field}: ${e.message}`).join("\n") : problem.document.detail;
  return notice("error", text, problem.document.hint);
}

function notice(tone: string, text: string, hint?: string | null): HTMLElement {
  const box = document.createElement("div");
  box.className = `notice tone-${tone}`;
  const inner = document.createElement("div");
  inner.append(element("p", "", text));
  if (hint) inner.append(element("p", "hint", hint));
  box.append(inner);
  return box;
}

function element(tag: string, name: string, ...content: (string | Node)[]): HTMLElement {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...content);
  return made;
}

function table(changes: Change[]): HTMLElement {
  const titles = ["Parameter", "Old", "New"].map((text) => {
    const cell = element("th", "", text);
    cell.setAttribute("scope", "col");
    return cell;
  });
  const rows = changes.map((change) => element("tr", `is-${change.kind}`,
    element("td", "", element("code", "", change.path || "all of it")),
    element("td", "", change.kind === "added" ? "–" : element("del", "", element("code", "", text(change.old)))),
    element("td", "", change.kind === "removed" ? "–" : element("ins", "", element("code", "", text(change.new)))),
  ));
  const made = element("table", "table job-changes", element("thead", "", element("tr", "", ...titles)), element("tbody", "", ...rows));
  return element("div", "table-wrap", made);
}

const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function tell(parts: HTMLElement[]): void {
  const stack = element("div", "stack", ...parts);
  shown.replaceChildren(stack);
}

field.addEventListener("input", () => {
  window.clearTimeout(timer);
  yes.disabled = true;
  timer = window.setTimeout(() => void compare(), PATIENCE);
});
yes.addEventListener("click", () => {
  const typed = params();
  if (typed) void submit({ params: typed, replace: true });
});
