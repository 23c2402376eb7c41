// Times are sent with their zone; beside the text, a picker that speaks this browser's own time.

import { island } from "../../assets/islands.ts";

const two = (n: number): string => String(n).padStart(2, "0");

/** As a datetime-local control wants it. */
function local(at: Date): string {
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

island("moment", (element) => {
  const text = element.querySelector<HTMLInputElement>("input[name]");
  const picker = element.querySelector<HTMLInputElement>('input[type="datetime-local"]');
  if (!text || !picker) return;
  picker.hidden = false;
  const show = () => {
    const at = new Date(text.value);
    picker.value = Number.isNaN(at.getTime()) ? "" : local(at);
  };
  show();
  text.addEventListener("change", show);
  picker.addEventListener("input", () => {
    const at = new Date(picker.value);
    text.value = Number.isNaN(at.getTime()) ? "" : at.toISOString().replace(".000Z", "Z");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  });
});
