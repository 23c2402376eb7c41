// Short messages at the edge of the page. Servers send one with the header HX-Trigger: {"toast": {"text": …, "tone": …}}.

import { icon } from "./icons.ts";
import { rooted } from "./root.ts";

export type Tone = "info" | "success" | "warning" | "error";
export interface Toast {
  text: string;
  tone?: Tone;
  hint?: string | null;
  link?: { text: string; href: string };
  /** Seconds until it goes by itself; errors stay until they are closed. */
  seconds?: number;
}

const SYMBOLS: Record<Tone, string> = { info: "info", success: "check", warning: "warning", error: "failed" };
const MOST = 4;

/** Show a message. */
export function toast(message: string | Toast): void {
  const { text, tone = "info", hint, link, seconds = 6 }: Toast = typeof message === "string" ? { text: message } : message;
  const region = document.getElementById("toasts");
  if (!region) return;
  const item = document.createElement("div");
  item.className = `toast tone-${tone}`;
  if (tone === "error") item.setAttribute("role", "alert");
  const body = document.createElement("div");
  body.textContent = text;
  if (hint) {
    const more = document.createElement("span");
    more.className = "hint";
    more.textContent = hint;
    body.append(more);
  }
  if (link) {
    const way = document.createElement("a");
    way.href = rooted(link.href);
    way.textContent = link.text;
    body.append(" ", way);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button quiet only-icon small";
  close.setAttribute("aria-label", "Close this message");
  close.append(icon("close"));
  close.addEventListener("click", () => item.remove());
  item.append(icon(SYMBOLS[tone]), body, close);
  region.append(item);
  while (region.children.length > MOST) region.firstElementChild?.remove();
  if (tone !== "error") goLater(item, seconds);
}

/** Messages stay while somebody reads them. */
function goLater(item: HTMLElement, seconds: number): void {
  let timer = 0;
  const start = () => { timer = window.setTimeout(() => item.remove(), seconds * 1000); };
  const stop = () => window.clearTimeout(timer);
  item.addEventListener("pointerenter", stop);
  item.addEventListener("focusin", stop);
  item.addEventListener("pointerleave", start);
  item.addEventListener("focusout", start);
  start();
}

document.addEventListener("toast", (event) => {
  const { text, tone, hint } = (event as CustomEvent<Toast>).detail;
  toast({ text, tone: tone ?? "info", hint: hint ?? null });
});
