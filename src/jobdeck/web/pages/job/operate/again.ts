// Run again: as it was, after a question; or with changes, in the form that is filled with the job's parameters.

import { api, showProblem } from "../../../assets/api.ts";
import { ask } from "../../../assets/confirm.ts";
import { rooted } from "../../../assets/root.ts";
import { head } from "../head.ts";

const id = (): string => head().dataset["job"]!;

/** Where the page of another job is, in the project that is looked at. */
function pageOf(job: number): string {
  return `${rooted("/jobs")}/${job}${location.search.match(/[?&]project=[^&]+/)?.[0].replace("&", "?") ?? ""}`;
}

/** As it was. */
export async function runAgain(): Promise<void> {
  const agreed = await ask({
    title: `Run job ${id()} again?`, text: "A new job with the same parameters is put into the queue.", yes: "Run it", no: "Do not run it",
  });
  if (!agreed) return;
  try {
    const made = await api<{ id: number }>("POST", `jobs/${id()}/run-again`, {});
    location.assign(pageOf(made.id));
  } catch (error) {
    showProblem(error);
  }
}

/** With changes: the same form that the list of jobs leads to. */
export function changeAgain(): void {
  location.assign(document.getElementById("job-op")!.dataset["again"]!);
}
