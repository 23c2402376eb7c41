// The tree of children: what is unfolded is read then, and kept up to date as long as it is open.

import { refresh } from "../../../assets/regions.ts";

document.addEventListener("toggle", (event) => {
  const details = event.target as HTMLDetailsElement;
  if (!details.matches?.("details[data-children]")) return;
  const kids = details.querySelector<HTMLElement>(":scope > div")!;
  if (!details.open) {
    delete kids.dataset["liveSrc"];
    return;
  }
  kids.dataset["liveSrc"] = details.dataset["children"]!;
  void refresh(kids);
}, true);
