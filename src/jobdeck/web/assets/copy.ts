// Buttons with data-copy put text on the clipboard: their value, or the code block beside them.

import { toast } from "./toasts.ts";

document.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-copy]");
  if (!button) return;
  copyText(button.dataset["copy"] || button.closest(".code")?.querySelector("code")?.textContent || "", "Copied.");
});

/** Put `text` on the clipboard and say so. */
export function copyText(text: string, done: string): void {
  navigator.clipboard.writeText(text).then(
    () => toast({ text: done, tone: "success", seconds: 2 }),
    () => toast({ text: "This browser does not let pages copy. Select the text instead.", tone: "warning", hint: text }),
  );
}
