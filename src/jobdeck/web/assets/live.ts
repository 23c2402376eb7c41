// What happens on the server, as it happens: one stream for all tabs of this browser.
//
//   const stop = live.subscribe({ jobs: [12] }, (event) => …)    events of some jobs, of a project, or all ({})
//   live.onState((state) => …)                                   "live", "reconnecting", "offline"
//   live.onResync(() => …)                                       something may have been missed: read again
//
// The stream goes on behind the newest event that the server knew before it made this page, so nothing falls between.

import { Hub, type FromHub, type LiveEvent, type LiveState, type ToHub } from "./live_hub.ts";
import { meta, sessionId } from "./session.ts";

export type { LiveEvent, LiveState } from "./live_hub.ts";

/** Which events: of any of these jobs, of this project. Without either, all that the session may see. */
export interface Filter {
  jobs?: Iterable<number>;
  project?: string | null;
}

type Subscriber = { jobs: Set<number> | undefined; project: string | undefined; tell: (event: LiveEvent) => void };

class Live {
  state: LiveState = "reconnecting";
  /** The session is over: there will be nothing more. */
  ended = false;
  private last: number | null = null;
  private readonly subscribers = new Set<Subscriber>();
  private readonly onStates = new Set<(state: LiveState) => void>();
  private readonly onResyncs = new Set<() => void>();
  private send: ((message: ToHub) => void) | undefined;

  /** Hear of events; the answer ends it. */
  subscribe(filter: Filter, tell: (event: LiveEvent) => void): () => void {
    const jobs = filter.jobs ? new Set(filter.jobs) : undefined;
    const subscriber = { jobs, project: filter.project ?? undefined, tell };
    this.subscribers.add(subscriber);
    return () => this.subscribers.delete(subscriber);
  }

  /** Hear how the connection is, now and whenever that changes. */
  onState(tell: (state: LiveState) => void): () => void {
    this.onStates.add(tell);
    tell(this.state);
    return () => this.onStates.delete(tell);
  }

  /** Hear that events may have been missed, so that what is shown must be read again. */
  onResync(tell: () => void): () => void {
    this.onResyncs.add(tell);
    return () => this.onResyncs.delete(tell);
  }

  /** Connect. Called once by the page. */
  start(): void {
    const after = meta("live-after");
    this.last = after ? Number(after) : null;
    this.send = connect((message) => this.take(message), () => this.last);
    this.hello();
    addEventListener("pagehide", () => this.send?.({ type: "bye" }));
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      this.hello();
      this.onResyncs.forEach((tell) => tell());
    });
    addEventListener("online", () => this.send?.({ type: "wake" }));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.state !== "live") this.send?.({ type: "wake" });
    });
  }

  private hello(): void {
    this.send?.({ type: "hello", after: this.last });
  }

  private take(message: FromHub): void {
    switch (message.type) {
      case "event":
        this.tell(message.event);
        break;
      case "resync":
        this.onResyncs.forEach((tell) => tell());
        break;
      case "state":
        this.ended = message.ended;
        if (message.state === this.state && !message.ended) break;
        this.state = message.state;
        this.onStates.forEach((tell) => tell(message.state));
        break;
    }
  }

  private tell(event: LiveEvent): void {
    // A leader that took over tells some of them again.
    if (event.id > 0 && this.last !== null && event.id <= this.last) return;
    if (event.id > 0) this.last = event.id;
    for (const { jobs, project, tell } of this.subscribers) {
      if (jobs && (event.job === null || !jobs.has(event.job))) continue;
      if (project && event.project !== null && event.project !== project) continue;
      tell(event);
    }
  }
}

/** A way to the hub: a shared worker; else whichever tab leads; else a hub of our own. */
function connect(take: (message: FromHub) => void, last: () => number | null): (message: ToHub) => void {
  const name = `jobdeck-live-${sessionId()}`;
  try {
    const { port } = new SharedWorker(meta("live-worker"), { name, type: "module" });
    port.onmessage = ({ data }: MessageEvent<FromHub>) => take(data);
    return (message) => port.postMessage(message);
  } catch {
    // This browser has none, or gives us none.
  }
  if ("BroadcastChannel" in window && "locks" in navigator) return connectToLeader(name, take, last);
  const hub = new Hub(take);
  return (message) => serve(hub, message, take);
}

function serve(hub: Hub, message: ToHub, reply: (message: FromHub) => void): void {
  if (message.type === "hello") hub.hello(message.after, reply);
  else if (message.type === "wake") hub.wake();
  else hub.stop();
}

/** One tab holds the lock and with it the stream; when it goes, the next one gets both. */
function connectToLeader(
  name: string, take: (message: FromHub) => void, last: () => number | null,
): (message: ToHub) => void {
  const channel = new BroadcastChannel(name);
  const spread = (message: FromHub) => {
    channel.postMessage({ down: message });
    take(message);
  };
  let hub: Hub | undefined;
  let followed = false;
  channel.onmessage = ({ data }: MessageEvent<{ down?: FromHub; up?: ToHub }>) => {
    if (data.down && !hub) {
      followed = true;
      take(data.down);
    }
    // Another tab's leaving is its own affair: the stream is for the rest.
    if (data.up && data.up.type !== "bye" && hub) serve(hub, data.up, (message) => channel.postMessage({ down: message }));
  };
  void navigator.locks.request(name, () => new Promise<void>((release) => {
    hub = new Hub(spread);
    serve(hub, { type: "hello", after: last() }, take);
    // The tabs may have heard the leader that went to different points.
    if (followed) spread({ type: "resync" });
    addEventListener("pagehide", () => { hub?.stop(); hub = undefined; release(); }, { once: true });
  }));
  return (message) => {
    if (hub) serve(hub, message, take);
    else channel.postMessage({ up: message });
  };
}

export const live = new Live();
