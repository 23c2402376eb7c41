// Short messages at the edge of the page.

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
  /** It says that the server cannot be reached, and goes when it can be again. */
  unreachable?: boolean;
}

const SYMBOLS: Record<Tone, string> = { info: "info", success: "check", warning: "warning", error: "failed" };
const MOST = 4;

/** Show a message. */
export function toast(message: string | Toast): void {
  const { text, tone = "info", hint, link, seconds = 6, unreachable = false }: Toast = typeof message === "string" ? { text: message } : message;
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
    more.append(...coded(hint));
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
  // Once is enough to say that nothing answers.
  if (unreachable) {
    reachable();
    item.dataset["unreachable"] = "";
  }
  region.append(item);
  lift(region);
  while (region.children.length > MOST) region.firstElementChild?.remove();
  if (tone !== "error") goLater(item, seconds);
}

/** A hint, in which what stands between backticks is to be typed. */
function coded(hint: string): (string | Node)[] {
  return hint.split(/`([^`\n]+)`/).map((part, at) => {
    if (at % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  });
}

/** The server answers again: what said otherwise goes. */
export function reachable(): void {
  document.querySelectorAll(".toast[data-unreachable]").forEach((item) => item.remove());
}

/** Messages lie over everything, over an open dialog and what it darkens, too. */
function lift(region: HTMLElement): void {
  if (region.matches(":popover-open")) {
    if (!document.querySelector("dialog:modal")) return;
    region.hidePopover();
  }
  region.showPopover();
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

const region = document.getElementById("toasts");
if (region) {
  lift(region);
  new MutationObserver(() => { if (region.childElementCount) lift(region); }).observe(document.body, { subtree: true, attributeFilter: ["open"] });
}
