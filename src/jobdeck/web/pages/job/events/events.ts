// The list of events: what is new gathers behind a button, so that nothing moves while it is read.

import { fragment, parsed } from "../../../assets/fragment.ts";
import { island } from "../../../assets/islands.ts";
import { live } from "../../../assets/live.ts";
import { showTimes } from "../../../assets/times.ts";

island("job-events", (root) => {
  const newest = root.dataset["order"] === "newest";
  if (root.dataset["live"] !== "yes") return;
  const waiting = new Set<number>();
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button primary";
  const holder = document.createElement("div");
  holder.className = newest ? "job-new" : "job-new at-end";
  holder.setAttribute("data-keep", "");
  holder.hidden = true;
  holder.append(button);
  if (newest) root.prepend(holder);
  else root.append(holder);

  const list = (): HTMLElement => root.querySelector<HTMLElement>("#event-list")!;
  const known = (): number => Math.max(0, ...[...list().children].map((item) => Number((item as HTMLElement).dataset["id"])));

  function show(): void {
    holder.hidden = waiting.size === 0;
    button.textContent = waiting.size === 1 ? "1 new event" : `${waiting.size} new events`;
  }

  async function bring(): Promise<void> {
    const order = newest ? "" : "&order=oldest";
    const base = root.dataset["src"]!;
    const page = parsed(await fragment(`${base}${base.includes("?") ? "&" : "?"}after=${known()}${order}`));
    const items = [...page.querySelectorAll<HTMLElement>("#event-list > li")].filter((item) => !document.getElementById(item.id));
    if (newest) list().prepend(...items);
    else list().append(...items);
    waiting.clear();
    show();
    showTimes(root);
    const shown = document.getElementById("events-shown");
    if (shown) shown.textContent = `${list().childElementCount} events here`;
    items[newest ? 0 : items.length - 1]?.scrollIntoView({ block: "nearest" });
  }

  button.addEventListener("click", () => void bring());
  return live.subscribe({ jobs: [Number(root.dataset["job"])] }, (event) => {
    if (event.id === 0 || document.getElementById(`event-${event.id}`)) return;
    waiting.add(event.id);
    show();
  });
});
