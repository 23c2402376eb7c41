// Ask before something is done that cannot be undone. Elements say it in words:
//   data-confirm-title="Cancel job 12?"  data-confirm="What it does now is lost."  data-confirm-yes="Cancel the job"
//   data-confirm-tone="danger"
// It works for forms.

export interface Question {
  title: string;
  text?: string;
  yes?: string;
  no?: string;
  danger?: boolean;
}

const DOUBLE = 500; // ms in which the second click of a double click comes
let openedAt = 0;

/** Whether the person agrees. Esc and a click beside the dialog mean no. */
export function ask(question: Question): Promise<boolean> {
  const dialog = document.getElementById("confirm") as HTMLDialogElement;
  const part = (id: string) => dialog.querySelector<HTMLElement>(`#${id}`)!;
  part("confirm-title").textContent = question.title;
  part("confirm-text").textContent = question.text ?? "";
  const yes = part("confirm-yes");
  yes.textContent = question.yes ?? "Go on";
  yes.classList.toggle("danger", question.danger ?? false);
  const no = dialog.querySelector<HTMLButtonElement>('button[value="no"]')!;
  no.textContent = question.no ?? "Keep as it is";
  dialog.returnValue = "no";
  dialog.showModal();
  openedAt = performance.now();
  // What is dangerous is not what Enter does by accident.
  (question.danger ? no : yes).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function questionOf(element: HTMLElement): Question {
  const { confirm, confirmTitle, confirmYes, confirmNo, confirmTone } = element.dataset;
  const question: Question = { title: confirmTitle ?? confirm ?? "Go on?", danger: confirmTone === "danger" };
  if (confirmTitle && confirm) question.text = confirm;
  if (confirmYes) question.yes = confirmYes;
  if (confirmNo) question.no = confirmNo;
  return question;
}

const SELECTOR = "[data-confirm], [data-confirm-title]";

document.addEventListener("submit", (event) => {
  const form = event.target as HTMLFormElement;
  if (!form.matches(SELECTOR) || form.dataset["confirmed"]) return;
  event.preventDefault();
  event.stopPropagation(); // nobody else is to act on it before the answer
  const by = (event as SubmitEvent).submitter as HTMLButtonElement | null;
  void ask(questionOf(form)).then((agreed) => {
    if (!agreed) return;
    form.dataset["confirmed"] = "yes";
    form.requestSubmit(by);
    delete form.dataset["confirmed"];
  });
}, true);

document.addEventListener("click", (event) => {
  if (event.target instanceof HTMLDialogElement && event.target.open && isBeside(event, event.target)) event.target.close("no");
});

// The second click of a double click on what opened the question is no answer to it.
document.addEventListener("click", (event) => {
  const inQuestion = (event.target as Element).closest("#confirm") !== null;
  if (!inQuestion || event.detail < 2 || performance.now() - openedAt > DOUBLE) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

function isBeside(event: MouseEvent, dialog: HTMLDialogElement): boolean {
  const box = dialog.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}
