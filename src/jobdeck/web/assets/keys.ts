// The keyboard: one registry of keys, which the help (?) lists. A key is "?" or "/", or two in a row: "g j".

import { rooted } from "./root.ts";

interface Binding {
  key: string;
  description: string;
  run: (event: KeyboardEvent) => void;
}

const bindings = new Map<string, Binding>();
const PATIENCE = 1200;
let prefix = "";
let since = 0;

/** Let `key` do something; the same key again replaces what it did. The answer takes it back. */
export function registerKey(key: string, description: string, run: (event: KeyboardEvent) => void): () => void {
  const binding = { key, description, run };
  bindings.set(key, binding);
  return () => {
    if (bindings.get(key) === binding) bindings.delete(key);
  };
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  return target.matches("input:not([type=checkbox], [type=radio], [type=button], [type=submit])");
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog:modal")) return;
  const both = prefix && event.timeStamp - since < PATIENCE ? `${prefix} ${event.key}` : event.key;
  const binding = bindings.get(both) ?? bindings.get(event.key);
  prefix = binding ? "" : event.key;
  since = event.timeStamp;
  if (binding) {
    event.preventDefault();
    binding.run(event);
  }
});

/** Show what the keys do on this page. */
export function showKeys(): void {
  const dialog = document.getElementById("keys") as HTMLDialogElement;
  const list = dialog.querySelector("#keys-list")!;
  list.replaceChildren(...[...bindings.values()].flatMap(({ key, description }) => {
    const term = document.createElement("dt");
    for (const stroke of key.split(" ")) {
      const shown = document.createElement("kbd");
      shown.textContent = NAMES[stroke] ?? stroke;
      term.append(shown);
    }
    const meaning = document.createElement("dd");
    meaning.textContent = description;
    return [term, meaning];
  }));
  dialog.showModal();
}

const NAMES: Record<string, string> = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", " ": "Space", Escape: "Esc" };

function goTo(text: string): () => void {
  return () => {
    const link = [...document.querySelectorAll<HTMLAnchorElement>(".nav a")].find((a) => a.pathname === rooted(text));
    location.assign(link?.href ?? rooted(text));
  };
}

registerKey("?", "Show these keys", showKeys);
registerKey("/", "Search", () => {
  const field = document.querySelector<HTMLInputElement>("[data-search], input[type=search]");
  field?.focus();
  field?.select();
});
registerKey("g j", "Go to the jobs", goTo("/jobs"));
registerKey("g r", "Go to Run something", goTo("/run"));
registerKey("g f", "Go to the failures", goTo("/failures"));

document.addEventListener("click", (event) => {
  if ((event.target as Element).closest("[data-keys]")) {
    document.querySelectorAll<HTMLElement>(".menu:popover-open").forEach((menu) => menu.hidePopover());
    showKeys();
  }
});
