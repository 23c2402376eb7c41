// Bring an element to what the server says now, changing only what differs: what the person does meanwhile (a
// selection, a position, typed text, ticked boxes, opened menus) is left as it is.

import { Idiomorph } from "idiomorph";
import { wake } from "./islands.ts";
import { showTimes } from "./times.ts";

const touched = new WeakSet<Element>();
for (const kind of ["input", "change"]) {
  document.addEventListener(kind, (event) => touched.add(event.target as Element), true);
}

/** Forget that the person has changed controls below `root`, so that the server's values count again. */
export function forgetTouched(root: ParentNode): void {
  root.querySelectorAll("input, select, textarea").forEach((control) => touched.delete(control));
}

const KEPT: Record<string, string> = {
  checked: "input",
  value: "input, textarea, select, option",
  open: "details, dialog",
  "aria-expanded": "[popovertarget], [aria-controls]",
  style: "[popover]",
};

function keepsAttribute(name: string, element: Element): boolean {
  const selector = KEPT[name];
  if (!selector || !element.matches(selector)) return element.closest("[data-keep-attributes]") === element && name.startsWith("data-");
  return name === "checked" || name === "value" ? touched.has(element) || touched.has(element.closest("select") ?? element) : true;
}

const callbacks = {
  beforeAttributeUpdated: (name: string, element: Element) => !keepsAttribute(name, element),
  beforeNodeMorphed: (old: Node) => !(old instanceof Element && old.hasAttribute("data-keep")),
  beforeNodeRemoved: (old: Node) => !(old instanceof Element && old.hasAttribute("data-keep")),
};

/** Morph `element` into `html`: the whole of it where the first element of `html` has its id, else its content. */
export function morph(element: HTMLElement, html: string): void {
  const parsed = new DOMParser().parseFromString(html, "text/html").body;
  const whole = element.id !== "" && parsed.firstElementChild?.id === element.id;
  const content = whole ? parsed.firstElementChild! : [...parsed.childNodes];
  Idiomorph.morph(element, content, {
    morphStyle: whole ? "outerHTML" : "innerHTML",
    // It leaves the content of the focused element alone, too, which is right for a field only.
    ignoreActiveValue: document.activeElement?.matches("input, select, textarea") ?? false,
    restoreFocus: true,
    callbacks,
  });
  showTimes(element);
  wake(element);
  element.dispatchEvent(new CustomEvent("morphed", { bubbles: true }));
}
