// What goes wrong while a log is read: it is said over the lines, and what may go well later is asked for again.

import { Problem } from "../../../assets/api.ts";

const FIRST = 500; // ms before it is asked for again; each time twice as long
const LONGEST = 8000;

/** Do `work` until it goes well, as long as `isWanted`; undefined once it is not. Throws what will not go well later, too. */
export type Patiently = <T>(work: () => Promise<T>, isWanted: () => boolean) => Promise<T | undefined>;

export class LogPatience {
  /** What is told is refused for good: that other questions go well does not end it. */
  private lasts = false;

  constructor(private readonly element: HTMLElement) {}

  readonly patiently: Patiently = async (work, isWanted) => {
    for (let wait = FIRST; isWanted(); wait = Math.min(wait * 2, LONGEST)) {
      try {
        const found = await work();
        this.ends();
        return found;
      } catch (error) {
        if (!(error instanceof Problem) || !mayPass(error)) throw error;
        if (isWanted()) this.says(error);
        await new Promise((resolve) => window.setTimeout(resolve, wait));
      }
    }
    return undefined;
  };

  says(problem: Problem): void {
    const { detail, hint } = problem.document;
    this.element.textContent = [detail, mayPass(problem) ? "It is asked for again." : (hint ?? "")].join(" ").trim();
    this.element.hidden = false;
    this.lasts = !mayPass(problem);
  }

  /** A question went well, or (`all`) somebody asks for something else. */
  ends(all = false): void {
    if (this.lasts && !all) return;
    this.lasts = false;
    this.element.hidden = true;
    this.element.textContent = "";
  }
}

/** Whether asking again may go well: nobody answers, the server is busy, or something it needs is away. */
function mayPass({ document: { status } }: Problem): boolean {
  return status === 0 || status === 429 || status >= 500;
}
