// The one live stream of a browser: reads /api/v1/events, remembers the last events for tabs that come later, and goes
// on where it was when the connection comes back. Runs in a shared worker, or in the tab that leads (see live.ts).
//
// The stream is read by hand, because an EventSource keeps from a script what is needed here: kinds of events that it
// was not told of beforehand, heartbeats (so that silence is noticed), and the status by which a session has ended.

import { rooted } from "./root.ts";

export type LiveState = "live" | "reconnecting" | "offline";

/** Something that happened. `id` 0: the progress of a running job, which is not kept. */
export interface LiveEvent {
  id: number;
  kind: string;
  at: string;
  project: string | null;
  job: number | null;
  actor: string | null;
  data: Record<string, unknown>;
}

export type FromHub =
  | { type: "state"; state: LiveState; ended: boolean }
  | { type: "event"; event: LiveEvent }
  | { type: "resync" };

/** A tab says hello with the id behind which it knows nothing; null: it only wants what comes. */
export type ToHub = { type: "hello"; after: number | null } | { type: "bye" } | { type: "wake" };

const REMEMBERED = 2000;
const SILENCE = 25_000; // the server says something every 10 s
const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 15_000;
const TRIES_UNTIL_OFFLINE = 5;

type Send = (message: FromHub) => void;

export class Hub {
  private events: LiveEvent[] = [];
  private completeAfter: number | null = null;
  private last: number | null = null;
  private state: LiveState = "reconnecting";
  private ended = false;
  private running: AbortController | undefined;
  private awaken: (() => void) | undefined;

  constructor(private readonly broadcast: Send) {}

  /** A tab has come: tell it what it missed, and how things stand. */
  hello(after: number | null, reply: Send): void {
    if (!this.running) {
      this.last = after;
      this.completeAfter = after;
      this.events = [];
      void this.run();
    } else if (after !== null) {
      if (this.completeAfter === null || after < this.completeAfter) reply({ type: "resync" });
      else for (const event of this.events) if (event.id > after) reply({ type: "event", event });
    }
    reply({ type: "state", state: this.state, ended: this.ended });
  }

  /** Somebody looks again: try at once instead of waiting. */
  wake(): void {
    this.awaken?.();
  }

  /** Nobody listens any more. */
  stop(): void {
    this.running?.abort();
    this.running = undefined;
  }

  private async run(): Promise<void> {
    const control = new AbortController();
    this.running = control;
    this.ended = false;
    let failures = 0;
    let wasLive = false;
    while (!control.signal.aborted && !this.ended) {
      try {
        await this.follow(control.signal, () => {
          failures = 0;
          this.tell("live");
          // What has no id (progress) cannot be told again; and a server that came back may be another one.
          if (wasLive) this.broadcast({ type: "resync" });
          wasLive = true;
        });
      } catch {
        // Whatever it was, it is tried again.
      }
      if (control.signal.aborted || this.ended) break;
      failures += 1;
      const lost = failures > TRIES_UNTIL_OFFLINE || !navigator.onLine;
      this.tell(lost ? "offline" : "reconnecting");
      await this.pause(failures);
    }
    if (this.running === control) this.running = undefined;
  }

  /** Read the stream until it ends; throws when it breaks or falls silent. */
  private async follow(stop: AbortSignal, onOpen: () => void): Promise<void> {
    const cut = new AbortController();
    const abort = () => cut.abort();
    stop.addEventListener("abort", abort);
    let watch = setTimeout(abort, SILENCE);
    try {
      const query = this.last === null ? "" : `?after=${this.last}`;
      const answer = await fetch(`${rooted("/api/v1/events")}${query}`, { signal: cut.signal, credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401 || answer.status === 403) {
        this.ended = true;
        this.tell("offline");
      }
      if (!answer.ok || !answer.body) return;
      onOpen();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(watch);
        watch = setTimeout(abort, SILENCE);
        const messages = (rest + value).split("\n\n");
        rest = messages.pop() ?? "";
        messages.forEach((message) => this.take(message));
      }
    } finally {
      clearTimeout(watch);
      stop.removeEventListener("abort", abort);
      cut.abort();
    }
  }

  private take(message: string): void {
    const data = message.split("\n").find((line) => line.startsWith("data: "));
    if (!data) return;
    const event = JSON.parse(data.slice(6)) as LiveEvent;
    if (event.id > 0) {
      this.completeAfter ??= event.id - 1;
      this.last = event.id;
      this.events.push(event);
      if (this.events.length > REMEMBERED) this.completeAfter = this.events.shift()!.id;
    }
    this.broadcast({ type: "event", event });
  }

  private tell(state: LiveState): void {
    this.state = state;
    this.broadcast({ type: "state", state, ended: this.ended });
  }

  /** Wait a while, longer each time, and not all browsers at the same moment; or until somebody looks. */
  private pause(failures: number): Promise<void> {
    const most = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1));
    return new Promise((resolve) => {
      const timer = setTimeout(done, most * (0.5 + Math.random() / 2));
      function done(): void {
        clearTimeout(timer);
        resolve();
      }
      this.awaken = done;
    });
  }
}
