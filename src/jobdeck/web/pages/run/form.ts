// One form: its buttons become requests, one after the other; answers are morphed in, so that nothing typed is lost.

import { goToLogin, problemOf, Problem, showProblem } from "../../assets/api.ts";
import { asFragment } from "../../assets/fragment.ts";
import { morph } from "../../assets/morph.ts";
import { csrfToken } from "../../assets/session.ts";
import { toast } from "../../assets/toasts.ts";
import { KeptForm } from "./kept_form.ts";
import { suggest } from "./objects/objects.ts";
import { projectOf } from "./project.ts";
import { rooted } from "../../assets/root.ts";

const QUIET = 400; // ms without typing after which the differences are told anew

/** The form that is on the page; there is one at most. */
let current: RunForm | undefined;
export const theForm = (): RunForm | undefined => current;

export class RunForm {
  private queue: Promise<void> = Promise.resolve();
  private readonly ends = new AbortController();
  private looking: AbortController | undefined;
  private timer = 0;
  private keeping = 0;
  private readonly kept: KeptForm;
  /** What was written has become a job, or was thrown away. */
  private done = false;

  constructor(readonly element: HTMLFormElement) {
    current = this;
    this.kept = new KeptForm(element);
    const options = { signal: this.ends.signal };
    element.addEventListener("submit", (event) => this.submitted(event), options);
    element.addEventListener("input", (event) => this.changed(event.target as Element), options);
    element.addEventListener("change", (event) => this.chosen(event.target as HTMLElement), options);
    element.addEventListener("click", (event) => jump(event), options);
    // Wherever the focus is: after a dry run it is beside the form.
    document.addEventListener("keydown", (event) => this.pressed(event), options);
    addEventListener("pagehide", () => this.keep(), options);
    // Coming back to the page means another job, even where the form is the same.
    addEventListener("pageshow", (event) => { if (event.persisted) this.renew(); }, options);
    suggest(element, options);
    this.bringBack();
  }

  end(): void {
    this.ends.abort();
    if (current === this) current = undefined;
  }

  get project(): string {
    return projectOf(this.element);
  }

  /** Do what a button called `what` does. Dry runs and submissions show that they are under way. */
  do(what: string, button?: HTMLElement | null): Promise<void> {
    if (what !== "changes") this.looking?.abort();
    const signal = new AbortController();
    if (what === "plan") this.looking = signal;
    const busy = button?.dataset["busy"] ? mark(button, button.dataset["busy"]) : undefined;
    this.queue = this.queue.then(() => this.send(what, signal.signal)).finally(busy);
    return this.queue;
  }

  private submitted(event: SubmitEvent): void {
    event.preventDefault();
    const button = event.submitter as HTMLButtonElement | null;
    if (button?.getAttribute("aria-busy") === "true") return;
    const what = button?.value ?? "plan";
    // Enter in a field looks first; the button in sight shows it.
    const shown = button?.dataset["busy"] ? button : this.element.querySelector<HTMLElement>(`[data-busy][value="${what}"]`);
    if (button?.matches("[aria-pressed]") && button.getAttribute("aria-pressed") === "true") return;
    void this.do(what, shown);
  }

  /** What was written here before one was led away. */
  private bringBack(): void {
    const found = this.kept.find();
    const note = document.getElementById("run-kept");
    if (!found || !note || this.element.querySelector("#run-summary")) return;
    note.querySelector("p")!.textContent = `What you wrote here before is back.${found.withoutSecrets ? " Secrets are not kept: write them again." : ""}`;
    note.querySelector("#run-forget")!.addEventListener("click", () => {
      this.finish();
      location.reload();
    }, { signal: this.ends.signal });
    this.queue = this.queue.then(() => this.send("render", this.ends.signal, found.pairs)).then(() => { note.hidden = false; });
  }

  private finish(): void {
    this.done = true;
    this.kept.forget();
  }

  private keep(): void {
    window.clearTimeout(this.keeping);
    if (!this.done) this.kept.keep();
  }

  private async send(what: string, signal: AbortSignal, pairs?: [string, string][]): Promise<void> {
    const body = new URLSearchParams(pairs);
    for (const [name, value] of pairs ? [] : new FormData(this.element)) if (typeof value === "string") body.append(name, value);
    body.append("do", what);
    const headers = { ...asFragment(), "X-CSRF-Token": csrfToken() };
    try {
      const answer = await fetch(this.element.action, { method: "POST", headers, body, credentials: "same-origin", signal });
      const leads = answer.headers.get("X-Jobdeck-Redirect");
      if (answer.status === 401) goToLogin();
      else if (leads) {
        this.finish();
        location.assign(rooted(leads));
      }
      else if (!answer.ok) showProblem(new Problem(await problemOf(answer)));
      else this.take(what, await answer.text());
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TypeError)) throw error;
      toast({ tone: "error", text: "Jobdeck cannot be reached just now.", hint: "What you wrote is kept. Try again in a moment." });
    }
  }

  private take(what: string, html: string): void {
    const id = /\bid="([^"]+)"/.exec(html)?.[1];
    const target = id ? document.getElementById(id) : null;
    if (!target) return;
    const before = what === "form" || what === "json" ? undefined : document.activeElement;
    morph(target, html);
    if (what === "changes") return;
    this.keep();
    if (what !== "plan") this.tellChanges();
    if (what !== "plan" || id === "run-form") this.stale(what !== "form" && what !== "json");
    if (id === "run-both") delete plan()?.dataset["stale"];
    if (this.element.querySelector("#run-summary")) this.showFaults();
    else if (id === "run-both") plan()?.focus({ preventScroll: matchMedia("(min-width: 1081px)").matches });
    else this.focusOn(before ?? null);
  }

  private showFaults(): void {
    const fault = this.element.querySelector<HTMLElement>("[aria-invalid=true], [data-invalid]");
    for (let up = fault?.parentElement; up; up = up.parentElement) if (up instanceof HTMLDetailsElement) up.open = true;
    (fault ?? this.element.querySelector<HTMLElement>("#run-summary"))?.focus();
  }

  /** The row that came new; or what was pressed, where it is still there. */
  private focusOn(before: Element | null): void {
    const wanted = this.element.querySelector<HTMLElement>("[data-focus]");
    if (wanted) {
      wanted.focus();
      wanted.removeAttribute("data-focus");
    } else if (before instanceof HTMLElement && before.isConnected) before.focus();
  }

  private changed(control: Element): void {
    if (!control.matches("[name]")) return;
    this.stale(true);
    window.clearTimeout(this.keeping);
    this.keeping = window.setTimeout(() => this.keep(), QUIET);
    // Who writes a value does not mean none.
    const none = control.closest(".form-or-none")?.querySelector<HTMLInputElement>('input[type="checkbox"]');
    if (none && none !== control) none.checked = false;
    this.tellChanges();
  }

  /** Beside the form: how it differs from what it came from. */
  private tellChanges(): void {
    window.clearTimeout(this.timer);
    if (document.getElementById("run-changes")) this.timer = window.setTimeout(() => void this.do("changes"), QUIET);
  }

  private chosen(control: HTMLElement): void {
    if (control.matches("[data-render]")) void this.do("render");
  }

  private pressed(event: KeyboardEvent): void {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
    if (document.querySelector("dialog:modal")) return;
    event.preventDefault();
    const run = this.element.querySelector<HTMLElement>('[data-busy][value="run"]');
    if (run?.getAttribute("aria-busy") !== "true") void this.do("run", run);
  }

  private stale(is: boolean): void {
    if (is && plan()?.querySelector(".run-stale")) plan()!.dataset["stale"] = "yes";
  }

  private renew(): void {
    this.done = false;
    const key = this.element.querySelector<HTMLInputElement>('input[name="key"]');
    if (key) key.value = crypto.getRandomValues(new Uint32Array(3)).join("");
    this.element.querySelectorAll("[aria-busy]").forEach((busy) => busy.removeAttribute("aria-busy"));
  }
}

const plan = (): HTMLElement | null => document.getElementById("run-plan");

/** Let a button say that it is at work; the answer takes it back. */
function mark(button: HTMLElement, words: string): () => void {
  const text = button.querySelector("span");
  const before = text?.textContent ?? "";
  button.setAttribute("aria-busy", "true");
  if (text) text.textContent = words;
  return () => {
    button.removeAttribute("aria-busy");
    if (text) text.textContent = before;
  };
}

/** A line of the summary leads to its field, wherever it is folded away. */
function jump(event: Event): void {
  const link = (event.target as Element).closest<HTMLAnchorElement>("[data-jump]");
  const target = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (!target) return;
  event.preventDefault();
  for (let up: HTMLElement | null = target; up; up = up.parentElement) if (up instanceof HTMLDetailsElement) up.open = true;
  target.focus();
}
