// Forms whose answer is a part of the page, said in HTML alone:
//   <form method="post" action="/operations/12/stop" data-into="operation"> … </form>
// What is sent is what the browser would send; the answer (a fragment) is morphed into the element of that id.

import { showProblem } from "./api.ts";
import { fragment } from "./fragment.ts";
import { morph } from "./morph.ts";

document.addEventListener("submit", (event) => {
  const form = event.target as HTMLFormElement;
  const into = document.getElementById(form.dataset["into"] ?? "");
  if (!into || event.defaultPrevented) return;
  event.preventDefault();
  if (form.getAttribute("aria-busy") !== "true") void post(form, into);
});

async function post(form: HTMLFormElement, into: HTMLElement): Promise<void> {
  const sent = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") sent.append(name, value);
  const id = into.id;
  form.setAttribute("aria-busy", "true");
  try {
    morph(into, await fragment(form.getAttribute("action")!, { form: sent }));
    document.querySelector<HTMLElement>(`#${CSS.escape(id)} [autofocus]`)?.focus();
  } catch (error) {
    showProblem(error);
  } finally {
    form.removeAttribute("aria-busy");
  }
}
