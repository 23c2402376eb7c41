// Saved views: filters, order, columns and density under a name.

import { api, Problem, showProblem } from "../../../assets/api.ts";
import { ask } from "../../../assets/confirm.ts";
import { copyText } from "../../../assets/copy.ts";
import { toast } from "../../../assets/toasts.ts";
import { fragment } from "../../../assets/fragment.ts";
import { exactAddress, shownColumns, shownDensity } from "../look.ts";

const menu = document.getElementById("views-menu");

async function read(): Promise<void> {
  try {
    menu!.innerHTML = await fragment(`/jobs/views${location.search}`);
  } catch (error) {
    showProblem(error);
  }
}

async function save(form: HTMLFormElement): Promise<void> {
  const query = new URLSearchParams(location.search);
  for (const name of ["cursor", "before", "columns", "density"]) query.delete(name);
  const data = new FormData(form);
  const view = {
    name: String(data.get("name")).trim(),
    query: query.toString(),
    columns: shownColumns(),
    density: shownDensity(),
    project: data.get("shared") ? form.dataset["project"] : null,
  };
  try {
    await api("POST", "views", view);
    toast({ text: `The view "${view.name}" is saved.`, tone: "success", seconds: 4 });
    await read();
  } catch (error) {
    const place = form.querySelector<HTMLElement>(".form-error")!;
    place.hidden = false;
    place.textContent = error instanceof Problem ? error.document.detail : String(error);
  }
}

const copy = (path: string): void => copyText(new URL(path, location.href).href, "The link is copied.");

menu?.addEventListener("toggle", (event) => {
  if ((event as ToggleEvent).newState === "open") void read();
});
menu?.addEventListener("submit", (event) => {
  event.preventDefault();
  void save(event.target as HTMLFormElement);
});
menu?.addEventListener("click", (event) => {
  const target = event.target as Element;
  if (target.closest("[data-view]")) menu.hidePopover();
  const named = target.closest<HTMLElement>("[data-copy-address]")?.dataset["copyAddress"];
  if (named) copy(named);
  if (target.closest("[data-copy-here]")) copy(exactAddress());
  const remove = target.closest<HTMLElement>("[data-delete-view]");
  if (!remove) return;
  const question = { title: `Delete the view "${remove.dataset["name"]}"?`, yes: "Delete the view", danger: true };
  void ask(question).then(async (agreed) => {
    if (!agreed) return;
    await api("DELETE", `views/${remove.dataset["deleteView"]}`).catch(showProblem);
    toast({ text: "The view is deleted.", seconds: 4 });
  });
});
