// The head of the page: keeps itself up to date, says a new state aloud, and leads to the tabs by number.

import { registerKey } from "../../assets/keys.ts";
import { refresh } from "../../assets/regions.ts";
import { rooted } from "../../assets/root.ts";

const QUIET = 20_000; // a job of which nothing is heard may stall, which no event tells

/** The head as it is now: a morph keeps the element. */
export const head = (): HTMLElement => document.getElementById("job-head")!;

/** Read head and tab again now. */
export async function refreshJob(): Promise<void> {
  const tab = document.getElementById("job-tab");
  await Promise.all([refresh(head()), tab ? refresh(tab) : undefined]);
}

/** Say something to those who do not see the page. */
export function say(text: string): void {
  document.getElementById("job-said")!.textContent = text;
}

let state = head().dataset["state"];

document.addEventListener("morphed", (event) => {
  if ((event.target as HTMLElement).id !== "job-head") return;
  const now = head().dataset["state"];
  if (now !== state) say(`Job ${head().dataset["job"]} is ${now} now.`);
  state = now;
  const tab = document.querySelector<HTMLElement>("#job-tab[data-like-head]");
  if (!tab) return;
  const jobs = head().dataset["liveJobs"];
  if (jobs === undefined) delete tab.dataset["liveJobs"];
  else tab.dataset["liveJobs"] = jobs;
});

setInterval(() => {
  if (!document.hidden && state === "running") void refresh(head());
}, QUIET);

/** Somebody deleted the job while it was looked at. */
document.addEventListener("live:gone", (event) => {
  const problem = (event as CustomEvent<{ document: { status: number } }>).detail;
  if (problem.document.status !== 404) return;
  event.preventDefault();
  document.querySelectorAll<HTMLElement>("#job-head, #job-tab").forEach((part) => { delete part.dataset["liveSrc"]; });
  if (document.getElementById("job-gone")) return;
  const note = document.createElement("div");
  note.id = "job-gone";
  note.className = "notice tone-warning job-why";
  note.setAttribute("role", "alert");
  const text = document.createElement("div");
  const link = document.createElement("a");
  link.href = rooted(head().dataset["home"] ?? "/jobs");
  link.textContent = "Go to the jobs";
  text.append(`Job ${head().dataset["job"]} was deleted. What is shown here is its last state. `, link);
  note.append(text);
  head().prepend(note);
  document.querySelectorAll<HTMLButtonElement>(".job-acts button").forEach((button) => { button.disabled = true; });
});

const TABS = ["Overview", "Steps", "Events", "Logs", "Family", "Attempts"];
TABS.forEach((name, place) => {
  registerKey(String(place + 1), `Show the tab ${name}`, () => {
    document.querySelectorAll<HTMLAnchorElement>("#job-head > .tabs a")[place]?.click();
  });
});
