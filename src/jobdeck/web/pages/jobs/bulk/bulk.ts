// Operations on the selection: a look at what would happen, then exactly that, with its progress and its account.

import { api, Problem, showProblem } from "../../../assets/api.ts";
import { live } from "../../../assets/live.ts";
import { morph } from "../../../assets/morph.ts";
import { toast } from "../../../assets/toasts.ts";
import { fragment, parsed } from "../../../assets/fragment.ts";
import { clear, selection } from "./selection.ts";
import { syncAll } from "../sync.ts";

const POLL = 500;
const dialog = document.getElementById("bulk") as HTMLDialogElement | null;
let following = 0;

const form = (): HTMLFormElement | null => dialog?.querySelector<HTMLFormElement>("#bulk-form") ?? null;

function shown(html: string): void {
  morph(dialog!, html);
  for (const field of dialog!.querySelectorAll<HTMLInputElement>("input[data-moment]")) {
    const at = field.dataset["moment"];
    if (at) field.value = localTime(at);
  }
  checkTyped();
}

/** A large delete is agreed to by typing its number. */
function checkTyped(): void {
  const field = form()?.querySelector<HTMLInputElement>("[data-typed]");
  if (!field) return;
  const button = form()!.querySelector<HTMLButtonElement>("button[type=submit]")!;
  button.disabled = field.value.replace(/[^0-9]/g, "") !== field.dataset["typed"];
}

/** A moment as controls of the kind datetime-local have it. */
export function localTime(at: string): string {
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** Open the dialog with what `operation` would do to the selection. */
export async function open(operation: string): Promise<void> {
  const chosen = selection();
  if (!dialog || !chosen) return;
  dialog.replaceChildren(loading());
  dialog.showModal();
  const asked = new URLSearchParams({ operation });
  if ("ids" in chosen) asked.set("ids", chosen.ids.join(","));
  else asked.set("address", chosen.address);
  const mine = (opened += 1);
  const isGivenUp = () => opened !== mine || !dialog.open;
  try {
    const html = await fragment("/jobs/bulk", { form: asked });
    if (isGivenUp()) discard(html);
    else shown(html);
  } catch (error) {
    if (isGivenUp()) return;
    dialog.close();
    showProblem(error);
  }
}

/** How often the dialog was opened: what an earlier opening asked for is not shown in a later one. */
let opened = 0;

/** Nobody waits for this plan any more. */
function discard(html: string): void {
  const plan = parsed(html).getElementById("bulk-form")?.dataset["bulkId"];
  if (plan) void api("POST", `bulk/${plan}/stop`).catch(() => undefined);
}

function loading(): DocumentFragment {
  const text = document.createElement("p");
  text.id = "bulk-title";
  text.setAttribute("role", "status");
  text.textContent = "Looking at every selected job…";
  const buttons = document.createElement("div");
  buttons.className = "dialog-buttons";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.dataset["close"] = "";
  button.textContent = "Give up";
  buttons.append(button);
  const both = document.createDocumentFragment();
  both.append(text, buttons);
  return both;
}

function dataOf(from: HTMLFormElement): URLSearchParams {
  const found = new URLSearchParams();
  for (const [name, value] of new FormData(from)) found.set(name, String(value));
  const at = found.get("resume_at");
  if (at) found.set("resume_at", new Date(at).toISOString());
  return found;
}

// The plan holds the reason, the time and the priority: when one changes, it is made anew.
let planned: Promise<void> | undefined;

function replan(): void {
  const from = form();
  if (!from) return;
  const asked = dataOf(from);
  const mine = opened;
  const here = (html: string) => (opened === mine && dialog?.open ? shown(html) : discard(html));
  planned = fragment("/jobs/bulk", { form: asked }).then(here, complain).finally(() => { planned = undefined; });
}

function complain(error: unknown): void {
  const place = dialog?.querySelector<HTMLElement>(".form-error");
  if (!place || !(error instanceof Problem)) return showProblem(error);
  place.hidden = false;
  place.textContent = [error.document.detail, error.document.hint].filter(Boolean).join(" ");
}

const numbers = (): string => `${form()?.dataset["total"]}:${form()?.dataset["allowed"]}`;

async function run(): Promise<void> {
  const seen = numbers();
  await planned;
  const from = form();
  if (!from) return;
  if (numbers() !== seen) {
    complain(new Problem({ status: 409, code: "changed", detail: "The jobs have changed meanwhile. Look at the numbers again." }));
    return;
  }
  const button = from.querySelector<HTMLButtonElement>("button[type=submit]")!;
  button.disabled = true;
  try {
    const token = new URLSearchParams({ token: dataOf(from).get("token") ?? "", typed: dataOf(from).get("typed") ?? "" });
    shown(await fragment(`/jobs/bulk/${from.dataset["bulkId"]}/run`, { form: token }));
    clear();
    follow();
  } catch (error) {
    button.disabled = false;
    complain(error);
  }
}

/** Ask how far it is until it has ended; closing the dialog stops the asking, not the work. */
function follow(): void {
  window.clearTimeout(following);
  const now = dialog?.querySelector<HTMLElement>("[data-running]");
  if (!now) {
    syncAll();
    dialog?.querySelector<HTMLElement>("[data-close].primary")?.focus();
    return;
  }
  following = window.setTimeout(async () => {
    try {
      const html = await fragment(`/jobs/bulk/${now.dataset["bulkId"]}`);
      if (dialog?.open) shown(html);
    } catch {
      // Tried again; the header tells that the connection is lost.
    }
    if (dialog?.open) follow();
  }, POLL);
}

async function stop(): Promise<void> {
  const now = dialog?.querySelector<HTMLElement>("[data-running]");
  if (!now) return;
  try {
    shown(await fragment(`/jobs/bulk/${now.dataset["bulkId"]}/stop`, { form: new URLSearchParams() }));
  } catch (error) {
    showProblem(error);
  }
  follow();
}

dialog?.addEventListener("click", (event) => {
  const target = event.target as Element;
  if (target.closest("[data-close]")) dialog.close();
  else if (target.closest("[data-bulk-stop]")) void stop();
  const more = target.closest<HTMLElement>("[data-more]");
  if (more) void fragment(more.dataset["more"]!).then((html) => { more.outerHTML = html; }, showProblem);
});
dialog?.addEventListener("toggle", (event) => {
  const details = event.target as HTMLDetailsElement;
  const url = details.dataset?.["items"];
  if (!url || !details.open) return;
  void fragment(url).then((html) => { details.querySelector(".bulk-items-list")!.innerHTML = html; }, showProblem);
}, true);
dialog?.addEventListener("change", (event) => {
  if ((event.target as Element).matches("[data-typed]")) return;
  if (form()?.contains(event.target as Node)) replan();
});
dialog?.addEventListener("input", (event) => {
  if ((event.target as Element).matches("[data-typed]")) checkTyped();
});
dialog?.addEventListener("submit", (event) => {
  event.preventDefault();
  void run();
});
dialog?.addEventListener("close", () => {
  window.clearTimeout(following);
  const plan = form()?.dataset["bulkId"];
  const running = dialog.querySelector<HTMLElement>("[data-running]")?.dataset["bulkId"];
  if (plan) void api("POST", `bulk/${plan}/stop`).catch(() => undefined);
  if (running) watched.add(Number(running));
  dialog.replaceChildren();
  syncAll();
});

const watched = new Set<number>();
live.subscribe({}, (event) => {
  const bulk = Number(event.data["bulk"]);
  if (event.kind !== "bulk.ended" || !watched.delete(bulk)) return;
  const { operation, done, skipped, failed } = event.data;
  toast({ tone: failed ? "warning" : "success", link: { text: "Account", href: `/operations/${bulk}` }, text: `${String(operation)}: ${done} done, ${skipped} skipped, ${failed} failed.` });
});

document.getElementById("batch")?.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-bulk]");
  if (button) void open(button.dataset["bulk"]!);
});
