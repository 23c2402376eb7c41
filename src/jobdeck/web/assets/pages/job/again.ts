// Run again: as it was, after a question; or with changes, in the form of its type.

import { api, showProblem } from "../../api.ts";
import { ask } from "../../confirm.ts";
import { head } from "./head.ts";

const id = (): string => head().dataset["job"]!;

/** The project that is looked at, as a part of an address. */
const project = (): string => new URLSearchParams(location.search).get("project") ?? "";

function address(path: string, query: Record<string, string> = {}): string {
  const given = new URLSearchParams(query);
  if (project()) given.set("project", project());
  return given.size > 0 ? `${path}?${given}` : path;
}

/** As it was. */
export async function runAgain(): Promise<void> {
  const agreed = await ask({
    title: `Run job ${id()} again?`, text: "A new job with the same parameters is put into the queue.", yes: "Run it", no: "Do not run it",
  });
  if (!agreed) return;
  try {
    const made = await api<{ id: number }>("POST", `jobs/${id()}/run-again`, {});
    location.assign(address(`/jobs/${made.id}`));
  } catch (error) {
    showProblem(error);
  }
}

/** With changes: the form shows what differs, and a dry run what would come of it. */
export function changeAndRun(): void {
  location.assign(address(`/run/${encodeURIComponent(head().dataset["type"]!)}`, { from: id() }));
}
