// What stands below the log: how many lines it has, and how many of them are of the kind that is chosen.

import { numbers } from "../../../assets/numbers.ts";
import { counts, type Asked } from "./count.ts";
import { type Where } from "./lines.ts";

const MOST = 20; // portions that are looked through, each of some ten thousand lines

export class LogFoot {
  private total = 0;
  /** Lines of the chosen kind; undefined where all are shown. */
  private chosen: number | undefined;
  private more = false;
  private asked = 0;

  constructor(private readonly element: HTMLElement) {}

  /** Lines of the whole log. */
  whole(total: number): void {
    this.total = total;
    this.tell();
  }

  /** Lines of the chosen kind came in. */
  came(count: number): void {
    if (this.chosen !== undefined) this.chosen += count;
    this.tell();
  }

  /** Count the lines that `where` chooses, unless it chooses all; raises Problem. */
  async count(log: Asked & { isShown(): boolean }, where: Where): Promise<void> {
    const asked = ++this.asked;
    this.chosen = where["level"] || where["step"] || where["task"] ? 0 : undefined;
    this.more = this.chosen !== undefined;
    this.tell();
    if (this.chosen === undefined) return;
    let portions = 0;
    const isWanted = (): boolean => asked === this.asked && log.isShown();
    for await (const { count, more } of counts(log, where, isWanted)) {
      if (!isWanted()) return;
      this.chosen = count;
      this.more = more;
      this.tell();
      portions += 1;
      if (portions >= MOST) return;
    }
  }

  private tell(): void {
    const whole = `${numbers.format(this.total)} ${this.total === 1 ? "line" : "lines"} in this log`;
    const one = this.chosen === 1 && !this.more;
    const some = `${numbers.format(this.chosen ?? 0)}${this.more ? "+" : ""} ${one ? "line" : "lines"} like that, of ${whole}`;
    this.element.textContent = this.total === 0 ? "" : this.chosen === undefined ? whole : some;
  }
}
