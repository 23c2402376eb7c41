// The second click of a double click means what the first one hit. Where that opened a dialog, or closed one, it would hit
// what is there now: it is left out.

let first: Element | null = null;

const dialogOf = (target: EventTarget | null): Element | null => (target as Element).closest("dialog");

document.addEventListener("click", (event) => {
  if (event.detail <= 1) first = dialogOf(event.target);
  else if (dialogOf(event.target) !== first) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

export {};
