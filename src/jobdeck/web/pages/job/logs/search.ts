// Search in the whole log: the server finds the lines, the window goes to them.

import { numbers } from "../../../assets/numbers.ts";
import { MOST, portions } from "./count.ts";
import { type Line, type Where } from "./lines.ts";
import { type Patiently } from "./patience.ts";

/** What the search needs of the window on the log. */
export interface SearchedLog {
  src: string;
  patiently: Patiently;
  where(): Where;
  firstVisible(): number;
  isShown(): boolean;
  goTo(line: number): Promise<void>;
}

export class LogSearch {
  private numbers: number[] = [];
  private more = false;
  private place = -1;
  private asked = 0;
  q = "";

  constructor(private readonly log: SearchedLog, private readonly parts: { found: HTMLElement; previous: HTMLButtonElement; next: HTMLButtonElement }) {
    parts.previous.addEventListener("click", () => void this.step(-1));
    parts.next.addEventListener("click", () => void this.step(1));
  }

  /** Look for `q`, and go to the first line with it from where the window is; `stay`: go nowhere. */
  async start(q: string, stay = false): Promise<void> {
    this.q = q;
    const asked = ++this.asked;
    this.numbers = [];
    this.place = -1;
    this.more = false;
    if (q) {
      const isWanted = (): boolean => asked === this.asked && this.log.isShown();
      await this.gather({ ...this.log.where(), q }, isWanted);
      if (!isWanted()) return;
      const from = this.log.firstVisible();
      const behind = this.numbers.findIndex((n) => n >= from);
      this.place = behind >= 0 ? behind : this.numbers.length - 1;
      if (!stay && this.place >= 0) await this.log.goTo(this.numbers[this.place]!);
    }
    this.tell();
  }

  private async gather(where: Where, isWanted: () => boolean): Promise<void> {
    try {
      for await (const { lines, more } of portions(this.log, where, isWanted)) {
        if (!isWanted()) return;
        this.numbers.unshift(...lines.map((line) => line.n));
        this.more = more;
        if (more) this.parts.found.textContent = `${this.numbers.length}+ lines so far`;
        if (this.numbers.length >= MOST) return;
      }
    } catch (error) {
      if (isWanted()) this.parts.found.textContent = "not searched to its beginning";
      throw error;
    }
  }

  /** The next match, or the one before; round and round. */
  async step(by: 1 | -1): Promise<void> {
    if (this.numbers.length === 0) return;
    this.place = (this.place + by + this.numbers.length) % this.numbers.length;
    this.tell();
    await this.log.goTo(this.numbers[this.place]!);
  }

  /** Lines that came since. */
  take(lines: Line[]): void {
    if (!this.q) return;
    const sought = this.q.toLowerCase();
    this.numbers.push(...lines.filter((line) => line.text.toLowerCase().includes(sought)).map((line) => line.n));
    this.tell();
  }

  private tell(): void {
    const count = this.numbers.length;
    const many = `${numbers.format(count)}${this.more ? "+" : ""} ${count === 1 && !this.more ? "line" : "lines"}`;
    this.parts.found.textContent = !this.q ? "" : count === 0 ? "no match" : `${numbers.format(this.place + 1)} of ${many}`;
    this.parts.previous.disabled = this.parts.next.disabled = count === 0;
  }
}
