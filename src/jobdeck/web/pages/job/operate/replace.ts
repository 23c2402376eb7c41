// Project files that a job could not load: other content is put in their place, under the same id.

import { api, showProblem } from "../../../assets/api.ts";
import { island } from "../../../assets/islands.ts";

interface Replaced { name: string; version: number }

island("replace-files", (element) => {
  const said = element.querySelector<HTMLElement>(".job-replaced");
  const chooser = document.createElement("input");
  chooser.type = "file";
  chooser.hidden = true;
  element.append(chooser);
  let chosen: HTMLButtonElement | undefined;
  for (const button of element.querySelectorAll<HTMLButtonElement>("[data-replace]")) {
    button.addEventListener("click", () => { chosen = button; chooser.value = ""; chooser.click(); });
  }
  chooser.addEventListener("change", () => {
    const file = chooser.files?.[0];
    if (file && chosen) void replace(chosen, file);
  });

  async function replace(button: HTMLButtonElement, file: File): Promise<void> {
    const id = button.dataset["replace"] ?? "";
    const body = new FormData();
    body.append("file", file);
    button.disabled = true;
    if (said) said.textContent = `${file.name} is being uploaded …`;
    try {
      const path = `projects/${encodeURIComponent(element.dataset["project"] ?? "")}/files/${id}`;
      const now = await api<Replaced>("PUT", path, body);
      const name = button.parentElement?.querySelector(".job-object");
      if (name) name.textContent = `${now.name} (file:${id})`;
      if (said) said.textContent = `file:${id} is ${now.name} now, version ${now.version}. Resume the job to load it.`;
    } catch (error) {
      if (said) said.textContent = `${file.name} was not uploaded.`;
      showProblem(error);
    } finally {
      button.disabled = false;
      button.focus();
    }
  }
});
