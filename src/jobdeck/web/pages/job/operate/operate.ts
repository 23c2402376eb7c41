// What can be done with the job: buttons, menu and keys lead to one dialog, which asks and carries it out.

import { api, Problem, showProblem } from "../../../assets/api.ts";
import { ask as confirm } from "../../../assets/confirm.ts";
import { registerKey } from "../../../assets/keys.ts";
import { forgetTouched } from "../../../assets/morph.ts";
import { toast } from "../../../assets/toasts.ts";
import { changeAgain, runAgain } from "./again.ts";
import { head, refreshJob, say } from "../head.ts";
import { rooted } from "../../../assets/root.ts";

interface Wording {
  title: string;
  text: string;
  yes: string;
  done: string;
  danger?: boolean;
}

const WORDS: Record<string, Wording> = {
  pause: { title: "Pause job #?", text: "It stops at its next checkpoint, keeps what it has done, and gives back all that it holds.", yes: "Pause it", done: "Pausing was asked for." },
  resume: { title: "Resume job #?", text: "It goes on from the first task that has not succeeded. It queues like any other job.", yes: "Resume it", done: "It is in the queue again." },
  restart: { title: "Restart job #?", text: "Intermediate results are thrown away. It runs from the first step, under the same id, as a new attempt.", yes: "Restart it", done: "The restart was asked for.", danger: true },
  cancel: { title: "Cancel job #?", text: "It ends for good, what it half made is removed, and its children are canceled too. It cannot go on afterwards.", yes: "Cancel the job", done: "Canceling was asked for.", danger: true },
  delete: { title: "Delete job #?", text: "The job and everything recorded about it is removed: steps, events, log. What it wrote stays.", yes: "Delete it", done: "It was deleted.", danger: true },
};

const dialog = document.getElementById("job-op") as HTMLDialogElement;
const part = <T extends HTMLElement>(name: string): T => dialog.querySelector<T>(`#job-op-${name}`)!;
const id = (): string => head().dataset["job"]!;
let operation = "";

/** Why the operation is refused now, or undefined where it is allowed. */
function refusal(name: string): string | undefined {
  const item = document.getElementById(`item-${name}`);
  if (item?.getAttribute("aria-disabled") !== "true") return undefined;
  return document.getElementById(`why-${name}`)?.textContent ?? "Not now.";
}

/** Begin an operation: say why not, or ask. */
export function begin(name: string): void {
  const why = refusal(name);
  if (why !== undefined) {
    toast({ tone: "warning", text: why });
    return;
  }
  document.querySelectorAll<HTMLElement>(".menu:popover-open").forEach((menu) => menu.hidePopover());
  if (name === "run-again") void runAgain();
  else if (name === "change") changeAgain();
  else ask(name);
}

function ask(name: string): void {
  const words = WORDS[name]!;
  operation = name;
  part("title").textContent = words.title.replace("#", id());
  part("text").textContent = words.text;
  part("until-field").hidden = name !== "pause";
  part("reason-field").hidden = name === "delete";
  part("error").hidden = true;
  askChildren(name === "delete" ? document.getElementById("item-delete")?.dataset["children"] : undefined);
  const yes = part<HTMLButtonElement>("yes");
  yes.textContent = words.yes;
  yes.classList.toggle("danger", words.danger ?? false);
  dialog.returnValue = "no";
  dialog.showModal();
  // What is dangerous is not what Enter does by accident.
  (words.danger ? dialog.querySelector<HTMLElement>("[data-no]")! : yes).focus();
}

/** What else would be deleted is chosen, or nothing is. */
function askChildren(children: string | undefined): void {
  part("children-field").hidden = !children;
  part<HTMLInputElement>("children").checked = false;
  part("children-text").textContent = children ? `It has ${children}. It can be deleted only with them.` : "";
}

function body(): Record<string, string> | undefined {
  if (operation === "delete") return undefined;
  const reason = part<HTMLInputElement>("reason").value.trim();
  const until = part<HTMLInputElement>("until").value;
  return {
    ...(reason ? { reason } : {}),
    ...(operation === "pause" && until ? { resume_at: new Date(until).toISOString() } : {}),
  };
}

async function carryOut(): Promise<void> {
  const words = WORDS[operation]!;
  const yes = part<HTMLButtonElement>("yes");
  yes.disabled = true;
  try {
    if (operation === "delete") {
      await api("DELETE", `jobs/${id()}${part<HTMLInputElement>("children").checked ? "?children=true" : ""}`);
      location.assign(rooted(head().dataset["home"] ?? "/jobs"));
      return;
    }
    await api("POST", `jobs/${id()}/${operation}`, body());
    dialog.close("yes");
    part<HTMLInputElement>("reason").value = "";
    part<HTMLInputElement>("until").value = "";
    say(words.done);
    await refreshJob();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const shown = part("error");
    shown.hidden = false;
    shown.textContent = [error.document.detail, error.document.hint].filter(Boolean).join(" ");
  } finally {
    yes.disabled = false;
  }
}

// Enter in a field submits: the only submit button is the one that agrees.
dialog.querySelector("form")!.addEventListener("submit", (event) => {
  event.preventDefault();
  void carryOut();
});

document.addEventListener("click", (event) => {
  const target = event.target as Element;
  if (target.closest("[data-no]")) target.closest("dialog")?.close("no");
  const button = target.closest<HTMLElement>("[data-op]");
  if (button) begin(button.dataset["op"]!);
  const lift = target.closest<HTMLElement>("[data-lift]");
  if (lift) void letGoOn(lift.dataset["lift"]!, lift.textContent!.trim());
});

/** A paused scope holds the job back: end that. */
async function letGoOn(scope: string, words: string): Promise<void> {
  if (!await confirm({ title: `${words}?`, text: "All jobs that its pause holds back start again, as there is room.", yes: "Let it go on", no: "Leave it paused" })) return;
  try {
    await api("DELETE", `pauses/${encodeURIComponent(scope)}`);
    say(`${scope} goes on.`);
  } catch (error) {
    showProblem(error);
  }
  await refreshJob();
}

document.addEventListener("change", (event) => {
  const select = event.target as HTMLSelectElement;
  if (!select.matches("[data-priority]")) return;
  const priority = Number(select.value);
  api("PATCH", `jobs/${id()}`, { priority }).then(
    () => {
      say(`The priority is ${priority} now.`);
      toast({ tone: "success", text: `The priority is ${priority} now.`, seconds: 3 });
    },
    showProblem,
  ).finally(() => {
    forgetTouched(head());
    void refreshJob();
  });
});

registerKey("p", "Pause the job", () => begin("pause"));
registerKey("u", "Resume the job", () => begin("resume"));
registerKey("r", "Restart the job", () => begin("restart"));
registerKey("c", "Cancel the job", () => begin("cancel"));
registerKey("d", "Delete the job", () => begin("delete"));
registerKey("a", "Run the job again", () => begin("run-again"));
registerKey("e", "Run the job again with changes", () => begin("change"));
