// Files for a job: dropped or chosen, sent one after the other with their progress, then named in the form as file:ID.

import { problemFrom, type ProblemDocument } from "../../../assets/api.ts";
import { asFragment } from "../../../assets/fragment.ts";
import { icon } from "../../../assets/icons.ts";
import { island } from "../../../assets/islands.ts";
import { csrfToken } from "../../../assets/session.ts";
import { showTimes } from "../../../assets/times.ts";
import { theForm } from "../form.ts";
import { rooted } from "../../../assets/root.ts";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

function size(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) { value /= 1000; unit += 1; }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`;
}

function button(text: string, symbol: string, press: () => void): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button quiet small";
  const words = document.createElement("span");
  words.textContent = text;
  made.append(icon(symbol), words);
  made.addEventListener("click", press);
  return made;
}

/** Files on their way: whoever leaves the page loses them. */
let underWay = 0;
addEventListener("beforeunload", (event) => { if (underWay > 0) event.preventDefault(); });

/** One file on its way. */
class Upload {
  readonly line = document.createElement("li");
  private readonly bar = document.createElement("progress");
  private readonly text = document.createElement("span");
  private readonly buttons = document.createElement("span");
  private request: XMLHttpRequest | undefined;
  private stopped = false;

  constructor(readonly file: File, readonly area: Area) {
    const name = document.createElement("span");
    name.className = "clip form-upload-name";
    name.textContent = file.name;
    this.bar.max = 1;
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", `Upload of ${file.name}`);
    this.text.className = "muted nowrap";
    this.text.textContent = `waits · ${size(file.size)}`;
    this.buttons.className = "form-row-buttons";
    this.line.append(name, this.bar, this.text, this.buttons);
    this.offer(["Cancel", "close", () => this.cancel()]);
  }

  private offer(...choices: [string, string, () => void][]): void {
    this.buttons.replaceChildren(...choices.map(([text, symbol, press]) => {
      const made = button(text, symbol, press);
      made.setAttribute("aria-label", `${text}: ${this.file.name}`);
      return made;
    }));
  }

  /** Send it; done when it is there, was cancelled, or failed. */
  run(): Promise<void> {
    if (this.stopped) return Promise.resolve();
    if (this.file.size > this.area.most) {
      this.fail({ status: 413, code: "too_large", detail: `It has ${size(this.file.size)}; a file may have ${size(this.area.most)}.`, hint: "Split it, or put it where the server can read it and write its path." });
      return Promise.resolve();
    }
    underWay += 1;
    return new Promise<void>((done) => {
      const request = (this.request = new XMLHttpRequest());
      request.open("POST", `${rooted("/api/v1/projects")}/${encodeURIComponent(theForm()?.project ?? "")}/files`);
      request.setRequestHeader("X-CSRF-Token", csrfToken());
      request.setRequestHeader("Accept", "application/json");
      request.upload.onprogress = (event) => this.progress(event.loaded, event.total);
      request.onload = () => void this.answered(request).then(done);
      request.onerror = () => { this.fail({ status: 0, code: "unreachable", detail: "The upload was cut off.", hint: "Jobdeck cannot be reached just now." }); done(); };
      request.onabort = () => done();
      const body = new FormData();
      body.append("file", this.file);
      request.send(body);
    }).finally(() => { underWay -= 1; });
  }

  private progress(done: number, total: number): void {
    this.bar.value = total > 0 ? done / total : 0;
    this.text.textContent = done < total ? `${size(done)} of ${size(total)}` : "being kept …";
  }

  private async answered(request: XMLHttpRequest): Promise<void> {
    if (request.status !== 201) {
      this.fail(problemFrom(request.status, request.responseText));
      return;
    }
    const { id } = JSON.parse(request.responseText) as { id: number };
    this.line.remove();
    this.area.say(`${this.file.name} is uploaded.`);
    await this.area.use(`file:${id}`);
  }

  private fail(problem: ProblemDocument): void {
    const again = new Upload(this.file, this.area);
    this.line.classList.add("has-error");
    this.bar.hidden = true;
    this.text.className = "field-error";
    this.text.textContent = [problem.detail, problem.hint].filter(Boolean).join(" ");
    this.area.say(`${this.file.name} was not uploaded: ${problem.detail}`);
    const retry: [string, string, () => void] = ["Try again", "again", () => { this.line.replaceWith(again.line); this.area.queue(again); }];
    const drop: [string, string, () => void] = ["Leave it", "close", () => this.line.remove()];
    if (problem.status === 413) this.offer(drop);
    else this.offer(retry, drop);
  }

  private cancel(): void {
    this.stopped = true;
    this.request?.abort();
    this.line.remove();
    this.area.say(`The upload of ${this.file.name} was cancelled.`);
    this.area.chooser?.focus();
  }
}

/** Where files come in, for one list or field. */
class Area {
  readonly most: number;
  readonly chooser: HTMLInputElement | null;
  private waiting: Promise<void> = Promise.resolve();

  constructor(readonly element: HTMLElement) {
    this.most = Number(element.dataset["max"]) || Infinity;
    this.chooser = element.querySelector('input[type="file"]');
    this.chooser?.addEventListener("change", () => {
      this.take([...(this.chooser?.files ?? [])]);
      if (this.chooser) this.chooser.value = "";
    });
    element.querySelector("[data-pick]")?.addEventListener("click", (event) => void this.pick(event.currentTarget as HTMLElement));
    element.addEventListener("click", (event) => this.picked(event));
    const zone = element.closest<HTMLElement>(".form-group, .field") ?? element;
    zone.addEventListener("dragover", (event) => { if (hasFiles(event)) { event.preventDefault(); zone.classList.add("dropping"); } });
    zone.addEventListener("dragleave", (event) => { if (!zone.contains(event.relatedTarget as Node | null)) zone.classList.remove("dropping"); });
    zone.addEventListener("drop", (event) => {
      zone.classList.remove("dropping");
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.take([...(event.dataTransfer?.files ?? [])]);
    });
  }

  say(text: string): void {
    const status = this.element.querySelector("[data-status]");
    if (status) status.textContent = text;
  }

  /** Name a file in the form. */
  async use(file: string): Promise<void> {
    await theForm()?.do(`${this.element.dataset["what"]}|${file}|${this.element.dataset["path"]}`);
  }

  queue(upload: Upload): void {
    this.waiting = this.waiting.then(() => upload.run());
  }

  private take(files: File[]): void {
    const wanted = this.element.dataset["what"] === "put" ? files.slice(0, 1) : files;
    for (const file of wanted) {
      const upload = new Upload(file, this);
      this.element.querySelector("[data-progress]")?.append(upload.line);
      this.queue(upload);
    }
  }

  private async pick(opener: HTMLElement): Promise<void> {
    const place = this.element.querySelector<HTMLElement>("[data-picks]");
    if (!place) return;
    const open = place.hidden;
    opener.setAttribute("aria-expanded", String(open));
    place.hidden = !open;
    if (!open) return;
    const query = new URLSearchParams({ project: theForm()?.project ?? "", path: this.element.dataset["path"] ?? "" });
    try {
      const answer = await fetch(`${rooted("/run-parts/files")}?${query}`, { headers: asFragment() });
      place.innerHTML = answer.ok ? await answer.text() : "";
      if (!answer.ok) place.textContent = problemFrom(answer.status, await answer.text()).detail;
    } catch {
      place.textContent = "Jobdeck cannot be reached just now. Close this and open it again in a moment.";
    }
    showTimes(place);
    place.querySelector<HTMLElement>("button")?.focus();
  }

  private picked(event: Event): void {
    const chosen = (event.target as Element).closest<HTMLElement>("[data-file]");
    if (!chosen) return;
    event.preventDefault();
    void this.use(chosen.dataset["file"] ?? "");
    this.say(`${chosen.querySelector(".clip")?.textContent ?? "It"} is in the list.`);
  }
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

// A file that misses its place must not make the browser leave the page.
for (const kind of ["dragover", "drop"] as const) {
  addEventListener(kind, (event) => { if (hasFiles(event) && document.getElementById("run-form")) event.preventDefault(); });
}

island("uploads", (element) => { new Area(element); });
