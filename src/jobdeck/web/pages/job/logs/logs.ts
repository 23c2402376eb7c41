// The log: a window of some thousand lines on what may be millions. It follows the end until one scrolls up, reads what
// is in front or behind when one comes near, and asks the server only for what is new.

import { Problem } from "../../../assets/api.ts";
import { island } from "../../../assets/islands.ts";
import { live } from "../../../assets/live.ts";
import { numbers } from "../../../assets/numbers.ts";
import { prefer, preference } from "../../../assets/preferences.ts";
import { copyLines } from "./copy.ts";
import { LogFoot } from "./foot.ts";
import { finder, lineElement, mark, readLines, type Line, type Slice, type Where } from "./lines.ts";
import { LogPatience } from "./patience.ts";
import { LogSearch } from "./search.ts";

const EVERY = 1000; // ms between two looks for new lines
const PORTION = 500;
const MOST = 4000; // lines in the page
const NEAR = 600; // pixels from an edge at which more is read
const LEVELS: Record<string, string[]> = {
  warning: ["warning", "error"],
  error: ["error"],
  info: ["info", "warning", "error", "stdout", "stderr"],
  output: ["stdout", "stderr"],
};

class LogView {
  readonly src: string;
  private readonly box = part("lines");
  private readonly note = part("note");
  private readonly back = part<HTMLButtonElement>("back");
  private readonly follow = part<HTMLButtonElement>("follow");
  private readonly wrap = part<HTMLButtonElement>("wrap");
  private readonly field = part<HTMLInputElement>("q");
  private readonly patience = new LogPatience(part("trouble"));
  readonly patiently = this.patience.patiently;
  private readonly search: LogSearch;
  private readonly foot = new LogFoot(part("total"));
  private earlier: string | null = null;
  private next: string | null = null;
  private atEnd = true;
  private following = true;
  private isLive = true;
  private fresh = 0;
  /** The line that was asked for last; 0: the end. */
  private wanted = 0;
  private busy = false;
  /** All lines are being exchanged: what is read beside that would go on from a place that is left. */
  private exchanging = false;
  /** One came near the first line while something else was being read. */
  private missed = false;
  private timer = 0;
  private typing = 0;
  /** Grows with every new view, so that late answers to the one before are dropped. */
  private view = 0;

  constructor(private readonly root: HTMLElement) {
    this.src = root.dataset["src"]!;
    this.search = new LogSearch(this, { found: part("found"), previous: part<HTMLButtonElement>("previous"), next: part<HTMLButtonElement>("next") });
    this.setWrap(preference("log-wrap") !== "no");
    copyLines(this.box);
    this.listen();
    void this.begin();
  }

  where(): Where {
    const where: Where = { attempt: this.root.dataset["attempt"]! };
    const level = LEVELS[part<HTMLSelectElement>("level").value];
    if (level) where["level"] = level;
    for (const name of ["step", "task"]) {
      const { value } = part<HTMLInputElement>(name);
      if (value !== "") where[name] = value;
    }
    return where;
  }

  firstVisible(): number {
    const top = this.box.getBoundingClientRect().top;
    const first = [...this.box.children].find((row) => row.getBoundingClientRect().bottom > top && row.id);
    return Number(first?.id.slice(1) ?? 1);
  }

  /** Whether somebody may still see it. */
  isShown(): boolean {
    return this.root.isConnected;
  }

  /** Show the line with this number, and mark it. */
  async goTo(line: number): Promise<void> {
    this.setFollowing(false);
    this.wanted = line;
    this.view += 1; // whatever is on its way to another place comes too late now
    this.exchanging = false;
    if (!document.getElementById(`L${line}`)) await this.load({ line: String(line) }, "line");
    if (this.wanted !== line) return;
    const row = document.getElementById(`L${line}`);
    this.box.querySelector(".is-current")?.classList.remove("is-current");
    if (!row) return;
    row.classList.add("is-current");
    this.box.scrollTop = row.offsetTop - this.box.offsetTop - this.box.clientHeight / 2;
  }

  end(): void {
    window.clearTimeout(this.timer);
    this.view += 1;
  }

  /** Look for new lines now: something happened to the job. */
  wake(): void {
    this.isLive = true;
    this.soon(150);
  }

  /** The page's attempt may have been exchanged by a restart. */
  async restarted(): Promise<void> {
    await this.toEnd();
  }

  private async begin(): Promise<void> {
    const line = lineOfHash();
    if (line) {
      void this.run(() => this.foot.count(this, this.where()));
      await this.goTo(line);
      this.markTarget();
    } else await this.toEnd();
    if (this.field.value) await this.run(() => this.search.start(this.field.value, line !== undefined));
    this.highlight();
  }

  private async toEnd(): Promise<void> {
    this.wanted = 0;
    void this.run(() => this.foot.count(this, this.where()));
    await this.load({}, "end");
    if (this.wanted === 0) this.setFollowing(true);
  }

  /** Exchange all that is shown for the lines at `place`. */
  private async load(place: Record<string, string>, what: "end" | "line"): Promise<void> {
    const view = ++this.view;
    this.exchanging = true;
    const read = () => readLines(this.src, this.where(), { ...place, limit: String(PORTION * 2) });
    const slice = await this.run(() => this.patiently(read, () => view === this.view && this.isShown()));
    if (view !== this.view) return;
    this.exchanging = false;
    if (!slice) return;
    this.box.replaceChildren(...this.rows(slice.lines));
    this.earlier = slice.earlier;
    this.take(slice);
    this.atEnd = what === "end" || !slice.more;
    this.fresh = 0;
    if (what === "end") this.box.scrollTop = this.box.scrollHeight;
    this.tell();
    this.soon(EVERY);
    this.catchUp();
    await this.fill(view);
  }

  /** What is wanted may be far in front: look on, until there is something to scroll through. */
  private async fill(view: number): Promise<void> {
    while (view === this.view && this.earlier !== null && this.isShown() && this.box.scrollHeight <= this.box.clientHeight + NEAR) {
      const before = this.earlier;
      if (this.busy) await new Promise((resolve) => window.setTimeout(resolve, 50));
      else await this.loadEarlier();
      if (this.earlier === before && !this.busy) return; // it went wrong, which is told
      if (this.following) this.box.scrollTop = this.box.scrollHeight;
    }
  }

  private async loadEarlier(): Promise<void> {
    if (this.busy || this.exchanging) this.missed = true;
    if (this.busy || this.exchanging || this.earlier === null) return;
    const before = this.earlier;
    const slice = await this.exclusively(() => readLines(this.src, this.where(), { before, limit: String(PORTION) }));
    if (!slice) return;
    const height = this.box.scrollHeight;
    this.box.prepend(...this.rows(slice.lines));
    this.box.scrollTop += this.box.scrollHeight - height;
    this.earlier = slice.earlier;
    this.trim("end");
    this.tell();
  }

  private async loadLater(): Promise<void> {
    if (this.busy || this.exchanging || this.next === null) return;
    const after = this.next;
    const slice = await this.exclusively(() => readLines(this.src, this.where(), { after, limit: String(PORTION) }));
    if (!slice) return;
    const was = this.atEnd;
    this.take(slice);
    if (!slice.more) this.atEnd = true;
    this.append(slice.lines, was);
    if (slice.more) this.soon(0);
  }

  private append(lines: Line[], areNew: boolean): void {
    if (lines.length === 0) {
      this.tell();
      return;
    }
    this.box.append(...this.rows(lines));
    if (areNew) {
      this.search.take(lines);
      this.foot.came(lines.length);
    }
    if (this.following) {
      this.trim("start");
      this.box.scrollTop = this.box.scrollHeight;
    } else if (areNew) this.fresh += lines.length;
    if (this.box.childElementCount > MOST * 2) this.trim("start");
    this.tell();
  }

  /** Let go of lines far away from where one looks. */
  private trim(edge: "start" | "end"): void {
    const over = this.box.childElementCount - MOST;
    if (over <= 0) return;
    if (edge === "start") {
      const top = this.box.scrollTop;
      const height = this.box.scrollHeight;
      [...this.box.children].slice(0, over).forEach((row) => row.remove());
      this.box.scrollTop = top - (height - this.box.scrollHeight);
      this.earlier = cursorOf(this.box.firstElementChild);
    } else {
      [...this.box.children].slice(-over).forEach((row) => row.remove());
      this.next = cursorOf(this.box.lastElementChild);
      this.atEnd = false;
    }
  }

  private take(slice: Slice): void {
    this.next = slice.next ?? this.next ?? "";
    this.isLive = slice.live;
    this.foot.whole(slice.total);
  }

  private rows(lines: Line[]): HTMLElement[] {
    const find = finder(this.search.q);
    return lines.map((line) => lineElement(line, find));
  }

  private soon(wait: number): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.poll(), wait);
  }

  private async poll(): Promise<void> {
    if (!this.root.isConnected) return;
    if (!document.hidden && (this.atEnd || this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR)) await this.loadLater();
    if (this.isLive) this.soon(EVERY);
  }

  private async exclusively<T>(work: () => Promise<T>): Promise<T | undefined> {
    const { view } = this;
    this.busy = true;
    const found = await this.run(work);
    this.busy = false;
    this.catchUp();
    return view === this.view ? found : undefined;
  }

  /** Whoever waits at the first line sees what is in front of it. */
  private catchUp(): void {
    if (!this.missed) return;
    this.missed = false;
    window.setTimeout(() => { if (!this.following && this.box.scrollTop < NEAR) void this.loadEarlier(); }, 0);
  }

  /** What goes wrong is said over the lines; the next look may go well. */
  private async run<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      const found = await work();
      this.patience.ends();
      return found;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const { status } = error.document;
      if (this.box.childElementCount === 0) this.say("");
      this.patience.says(error);
      if (status === 0 || status >= 500) this.soon(EVERY * 2);
      return undefined;
    }
  }

  private say(text: string): void {
    this.note.hidden = text === "";
    const said = document.createElement("p");
    said.textContent = text;
    this.note.replaceChildren(said);
  }

  private tell(): void {
    const { level, step, task } = this.where();
    if (this.box.childElementCount > 0) this.say("");
    else if ((level || step || task) && this.earlier !== null) this.say("No line is like that so far. Looking further back…");
    else if (level || step || task) this.say("No line is like that. Choose other levels, steps or tasks.");
    else this.say(this.isLive ? "Nothing was logged yet. Lines show here as they come." : "Nothing was logged in this attempt.");
    this.follow.setAttribute("aria-pressed", String(this.following));
    const away = !this.following && (!this.atEnd || !this.isAtBottom());
    this.back.hidden = !away || this.box.childElementCount === 0;
    const text = this.fresh > 0 ? `${numbers.format(this.fresh)} new ${this.fresh === 1 ? "line" : "lines"}` : "Go to the end";
    this.back.querySelector("span")!.textContent = text;
  }

  private isAtBottom(): boolean {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 12;
  }

  private setFollowing(following: boolean): void {
    this.following = following;
    if (following) {
      this.fresh = 0;
      this.box.scrollTop = this.box.scrollHeight;
    }
    this.tell();
  }

  private setWrap(wrap: boolean): void {
    this.box.classList.toggle("wraps", wrap);
    this.wrap.setAttribute("aria-pressed", String(wrap));
    if (this.following) this.box.scrollTop = this.box.scrollHeight;
  }

  private scrolled(): void {
    const bottom = this.isAtBottom();
    if (this.following && !bottom) this.setFollowing(false);
    else if (!this.following && bottom && this.atEnd) this.setFollowing(true);
    if (this.box.scrollTop < NEAR) void this.loadEarlier();
    if (!this.atEnd && this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR) void this.loadLater();
  }

  private highlight(): void {
    const find = finder(this.search.q);
    this.box.querySelectorAll<HTMLElement>(".log-text").forEach((text) => mark(text, find));
  }

  private markTarget(): void {
    this.box.querySelector(".is-target")?.classList.remove("is-target");
    const line = lineOfHash();
    if (line) document.getElementById(`L${line}`)?.classList.add("is-target");
  }

  private async searchFor(q: string): Promise<void> {
    this.keepInUrl();
    this.patience.ends(true);
    await this.run(() => this.search.start(q));
    this.highlight();
  }

  private keepInUrl(): void {
    const url = new URL(location.href);
    const values = { q: this.field.value, level: part<HTMLSelectElement>("level").value, step: part<HTMLSelectElement>("step").value, task: part<HTMLInputElement>("task").value };
    for (const [name, value] of Object.entries(values)) {
      if (value) url.searchParams.set(name, value);
      else url.searchParams.delete(name);
    }
    history.replaceState(history.state, "", url);
  }

  private async filtered(): Promise<void> {
    this.keepInUrl();
    this.patience.ends(true);
    await this.toEnd();
    if (this.search.q) await this.run(() => this.search.start(this.search.q, true));
  }

  private listen(): void {
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "End" && !this.atEnd) void this.toEnd();
      else if (event.key === "Home" && this.earlier !== null) void this.goTo(1);
      else return;
      event.preventDefault();
    });
    this.back.addEventListener("click", () => {
      if (this.atEnd) this.setFollowing(true);
      else void this.toEnd();
      this.box.focus({ preventScroll: true });
    });
    this.follow.addEventListener("click", () => {
      if (this.following) this.setFollowing(false);
      else if (this.atEnd) this.setFollowing(true);
      else void this.toEnd();
    });
    this.wrap.addEventListener("click", () => {
      const wrap = this.wrap.getAttribute("aria-pressed") !== "true";
      prefer("log-wrap", wrap ? "" : "no");
      this.setWrap(wrap);
    });
    for (const name of ["level", "step", "task"]) part(name).addEventListener("change", () => void this.filtered());
    this.root.querySelector<HTMLSelectElement>("#log-attempt")?.addEventListener("change", (event) => {
      const url = new URL(location.href);
      url.searchParams.set("attempt", (event.target as HTMLSelectElement).value);
      url.hash = "";
      location.assign(url);
    });
    this.field.addEventListener("input", () => {
      window.clearTimeout(this.typing);
      this.typing = window.setTimeout(() => void this.searchFor(this.field.value), 250);
    });
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.box.focus({ preventScroll: true });
      if (event.key !== "Enter") return;
      event.preventDefault();
      window.clearTimeout(this.typing);
      if (this.field.value !== this.search.q) void this.searchFor(this.field.value);
      else void this.search.step(event.shiftKey ? -1 : 1);
    });
  }

  /** The address names another line now. */
  async hashChanged(): Promise<void> {
    const line = lineOfHash();
    if (line) await this.goTo(line);
    this.markTarget();
  }
}

function part<T extends HTMLElement>(name: string): T {
  return document.querySelector<T>(`#log-${name}`)!;
}

function cursorOf(row: Element | null): string | null {
  return (row as HTMLElement | null)?.dataset["c"] ?? null;
}

function lineOfHash(): number | undefined {
  const found = /^#L([1-9][0-9]{0,14})$/.exec(location.hash);
  return found ? Number(found[1]) : undefined;
}

island("job-log", (root) => {
  const view = new LogView(root);
  const hashChanged = () => void view.hashChanged();
  let { attempt } = root.dataset;
  const morphed = () => {
    if (root.dataset["attempt"] === attempt) return;
    attempt = root.dataset["attempt"];
    void view.restarted();
  };
  addEventListener("hashchange", hashChanged);
  document.addEventListener("morphed", morphed);
  const stop = live.subscribe({ jobs: [Number(root.dataset["job"])] }, (event) => { if (event.id > 0) view.wake(); });
  return () => {
    view.end();
    stop();
    removeEventListener("hashchange", hashChanged);
    document.removeEventListener("morphed", morphed);
  };
});
